"""The engine of last resort: its words are rough, so these tests ask for honesty rather than for words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from contracts import messages, results
from contracts.errors import ErrorCode
from gpu_worker import engines, errors, models
from gpu_worker.handler import TranscribeHandler
from tests.integration.gpu_worker import chunks
from worker_kit.context import StepContext
from worker_kit.memory_blobs import MemoryBlobStore


@pytest.fixture(scope="module")
def rough_model() -> models.ResolvedModel:
    return models.resolve("pocketsphinx")


@pytest.fixture(scope="module")
def rough(rough_model: models.ResolvedModel) -> Iterator[TranscribeHandler]:
    handler = TranscribeHandler(engines.create(rough_model, engines.Hardware()))
    handler.load()
    handler.warm_up()
    yield handler
    handler.close()


def _run(
    handler: TranscribeHandler, store: MemoryBlobStore, request: messages.StepRequest, folder: Path
) -> results.ChunkTranscript:
    context = StepContext(request=request, blob_store=store, workspace=folder)
    result = handler.handle(request, context).result
    assert isinstance(result, results.ChunkTranscript)
    return result


def test_english_has_words_with_times_and_a_warning(
    rough: TranscribeHandler, rough_model: models.ResolvedModel, store: MemoryBlobStore, tmp_path: Path
) -> None:
    sound = chunks.read_sample("english.flac")
    place = chunks.Place(start=50.0)
    request = chunks.request(store, rough_model, sound, language="en", place=place)
    transcript = _run(rough, store, request, tmp_path)
    words = [word for segment in transcript.segments for word in segment.words]
    assert len(words) > 5
    assert all(word.text.isascii() and "<" not in word.text and "(" not in word.text for word in words)
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert 50.0 <= times[0] < times[-1] <= 50.0 + len(sound) / chunks.SAMPLE_RATE
    assert transcript.engine == "pocketsphinx"
    assert any("pocketsphinx" in warning for warning in transcript.warnings)


def test_without_a_language_english_is_assumed_and_said(
    rough: TranscribeHandler, rough_model: models.ResolvedModel, store: MemoryBlobStore, tmp_path: Path
) -> None:
    request = chunks.request(store, rough_model, chunks.read_sample("english.flac"))
    transcript = _run(rough, store, request, tmp_path)
    assert transcript.language == "en"
    assert any("assumed" in warning for warning in transcript.warnings)


def test_another_language_is_refused(
    rough: TranscribeHandler, rough_model: models.ResolvedModel, store: MemoryBlobStore, tmp_path: Path
) -> None:
    request = chunks.request(store, rough_model, chunks.read_sample("spanish.flac"), language="es")
    with pytest.raises(errors.LanguageUnsupportedError, match="WHISPER_MODEL") as caught:
        _run(rough, store, request, tmp_path)
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.UNSUPPORTED_LANGUAGE, False)


def test_silence_has_an_empty_transcript(
    rough: TranscribeHandler, rough_model: models.ResolvedModel, store: MemoryBlobStore, tmp_path: Path
) -> None:
    silence = np.zeros(3 * chunks.SAMPLE_RATE, np.float32)
    transcript = _run(rough, store, chunks.request(store, rough_model, silence, language="en"), tmp_path)
    assert (transcript.segments, transcript.speech_seconds) == ((), 0.0)
