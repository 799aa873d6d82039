"""The fixture Whisper, loaded once, behind the worker's own handler."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contracts import messages, results
from gpu_worker import engines, models
from gpu_worker.handler import TranscribeHandler
from tests.integration.gpu_worker import chunks
from worker_kit.context import StepContext
from worker_kit.memory_blobs import MemoryBlobStore

Transcribe = Callable[[messages.StepRequest], results.ChunkTranscript]


@pytest.fixture(scope="session")
def whisper() -> models.ResolvedModel:
    """The fixture model."""
    return models.resolve(str(chunks.WHISPER))


@pytest.fixture(scope="session")
def handler(whisper: models.ResolvedModel) -> Iterator[TranscribeHandler]:
    """Loaded and warm."""
    handler = TranscribeHandler(engines.create(whisper, engines.Hardware(device="cpu")))
    handler.load()
    handler.warm_up()
    yield handler
    handler.close()


@pytest.fixture
def store() -> MemoryBlobStore:
    """Empty."""
    return MemoryBlobStore()


@pytest.fixture
def transcribe(handler: TranscribeHandler, store: MemoryBlobStore, tmp_path: Path) -> Transcribe:
    """The transcript that the handler makes of a request."""

    def run(request: messages.StepRequest) -> results.ChunkTranscript:
        context = StepContext(request=request, blob_store=store, workspace=tmp_path)
        result = handler.handle(request, context).result
        assert isinstance(result, results.ChunkTranscript)
        return result

    return run
