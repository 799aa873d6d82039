"""What the worker refuses, under which code, and whether another attempt may help."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import blobs, messages, results
from contracts.errors import ErrorCode
from gpu_worker import models
from gpu_worker.handler import TranscribeHandler
from tests.integration.gpu_worker import chunks
from tests.integration.gpu_worker.conftest import Transcribe
from worker_kit import errors
from worker_kit.context import StepContext
from worker_kit.memory_blobs import MemoryBlobStore


def _good(store: MemoryBlobStore, whisper: models.ResolvedModel) -> messages.StepRequest:
    return chunks.request(store, whisper, chunks.read_sample("english.flac"), language="en")


def _refusal(
    transcribe: Transcribe, request: messages.StepRequest, *, saying: str = "."
) -> tuple[ErrorCode, bool]:
    with pytest.raises(errors.StepError, match=saying) as caught:
        transcribe(request)
    return caught.value.code, caught.value.retryable


def test_a_corrupted_chunk_is_final(
    transcribe: Transcribe, store: MemoryBlobStore, whisper: models.ResolvedModel
) -> None:
    whole = chunks.to_flac(chunks.read_sample("english.flac"))
    broken = whole[:100] + bytes(len(whole) - 100)
    request = chunks.request(store, whisper, broken, seconds=8.0, language="en")
    assert _refusal(transcribe, request) == (ErrorCode.CORRUPT_AUDIO, False)


def test_a_chunk_that_was_overwritten_is_final(
    transcribe: Transcribe, store: MemoryBlobStore, whisper: models.ResolvedModel
) -> None:
    request = _good(store, whisper)
    reference = request.inputs[messages.InputName.CHUNK]
    other = reference.model_copy(update={"content_hash": "sha256:" + "0" * 64})
    changed = request.model_copy(update={"inputs": {messages.InputName.CHUNK: other}})
    refusal = _refusal(transcribe, changed, saying="was overwritten. Run the job again")
    assert refusal == (ErrorCode.SOURCE_CHANGED, False)


def test_a_chunk_that_is_gone_is_final(
    transcribe: Transcribe, store: MemoryBlobStore, whisper: models.ResolvedModel
) -> None:
    request = _good(store, whisper)
    reference = request.inputs[messages.InputName.CHUNK].model_copy(update={"path": "gone"})
    without = request.model_copy(update={"inputs": {messages.InputName.CHUNK: reference}})
    refusal = _refusal(transcribe, without, saying="no longer there. Run the job again")
    assert refusal == (ErrorCode.SOURCE_MISSING, False)


def test_a_request_for_another_models_revision_may_be_tried_again(
    transcribe: Transcribe, store: MemoryBlobStore, whisper: models.ResolvedModel
) -> None:
    request = _good(store, whisper)
    other = request.model_copy(update={"params": request.params.model_copy(update={"revision": "other"})})
    assert _refusal(transcribe, other) == (ErrorCode.MODEL_MISMATCH, True)


def test_a_language_that_the_model_lacks_is_final(
    transcribe: Transcribe, store: MemoryBlobStore, whisper: models.ResolvedModel
) -> None:
    request = chunks.request(store, whisper, chunks.read_sample("english.flac"), language="tlh")
    assert _refusal(transcribe, request) == (ErrorCode.UNSUPPORTED_LANGUAGE, False)


@pytest.mark.parametrize("lacking", ["chunk", "chunk_audio", "inputs"])
def test_a_request_that_lacks_something_is_final(
    transcribe: Transcribe, store: MemoryBlobStore, whisper: models.ResolvedModel, lacking: str
) -> None:
    empty: dict[str, object] | None = {} if lacking == "inputs" else None
    request = _good(store, whisper).model_copy(update={lacking: empty})
    assert _refusal(transcribe, request) == (ErrorCode.INVALID_MESSAGE, False)


def test_a_cancelled_run_is_not_transcribed(
    handler: TranscribeHandler, store: MemoryBlobStore, whisper: models.ResolvedModel, tmp_path: Path
) -> None:
    request = _good(store, whisper)
    marker = blobs.cancel_marker_path(tenant_id=request.tenant_id, job_id=request.job_id, run=request.run)
    store.create(blobs.Container.WORK, marker, b"", content_type="text/plain")
    context = StepContext(request=request, blob_store=store, workspace=tmp_path)
    with pytest.raises(errors.StepCancelledError):
        handler.handle(request, context)


def test_a_regional_tag_is_kept_in_the_result(
    transcribe: Transcribe, store: MemoryBlobStore, whisper: models.ResolvedModel
) -> None:
    request = chunks.request(store, whisper, chunks.read_sample("english.flac"), language="en-GB")
    transcript: results.ChunkTranscript = transcribe(request)
    assert transcript.language == "en-GB"
    assert {segment.language for segment in transcript.segments} == {"en-GB"}
