"""The real Whisper fixture through the worker's handler: texts, times, languages, coverage."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from contracts import languages, results
from gpu_worker import models
from tests.fixtures.build import evaluate, make_media
from tests.integration.gpu_worker import chunks
from tests.integration.gpu_worker.conftest import Transcribe
from worker_kit.memory_blobs import MemoryBlobStore

START = 100.0
"""Where the chunks of these tests lie in their recordings."""


def _text(transcript: results.ChunkTranscript, language: str) -> str:
    return languages.joiner(language).join(segment.text for segment in transcript.segments)


def _words(transcript: results.ChunkTranscript) -> list[results.Word]:
    return [word for segment in transcript.segments for word in segment.words]


@pytest.mark.parametrize("detect", [False, True], ids=["language given", "language detected"])
@pytest.mark.parametrize("name", chunks.exact_samples())
def test_exact_samples_come_out_exactly(
    transcribe: Transcribe,
    store: MemoryBlobStore,
    whisper: models.ResolvedModel,
    name: str,
    detect: bool,  # noqa: FBT001 - a table
) -> None:
    truth = chunks.samples_json()[name]
    request = chunks.request(
        store,
        whisper,
        chunks.read_sample(name),
        language=None if detect else truth["language"],
        place=chunks.Place(start=START),
    )
    transcript = transcribe(request)
    assert _text(transcript, truth["language"]) == truth["text"]
    assert transcript.language == truth["language"]
    assert {segment.language for segment in transcript.segments} == {truth["language"]}
    assert transcript.gaps == ()
    starts = [word.start - START for word in _words(transcript)]
    ends = [word.end - START for word in _words(transcript)]
    assert len(starts) == len(truth["words"])
    assert np.abs(np.subtract(starts, [word["start"] for word in truth["words"]])).mean() < 0.1
    assert np.abs(np.subtract(ends, [word["end"] for word in truth["words"]])).mean() < 0.1


def test_a_long_recordings_chunk_is_nearly_without_errors(
    transcribe: Transcribe, store: MemoryBlobStore, whisper: models.ResolvedModel, tmp_path: Path
) -> None:
    make_media.make(tmp_path, only=frozenset({"long"}), seconds=40.0)
    truth = json.loads((tmp_path / "long-english.json").read_text(encoding="utf-8"))
    samples, _ = soundfile.read(tmp_path / "long-english.flac", dtype="float32")
    transcript = transcribe(chunks.request(store, whisper, samples, language="en"))
    wanted, found = truth["text"].split(), _text(transcript, "en").split()
    assert evaluate.distance(wanted, found) / len(wanted) < 0.05
    assert transcript.speech_seconds == pytest.approx(
        sum(sentence["end"] - sentence["start"] for sentence in truth["sentences"]), rel=0.1
    )


def test_words_lie_in_their_segments_and_segments_in_order(
    transcribe: Transcribe, store: MemoryBlobStore, whisper: models.ResolvedModel
) -> None:
    sound = chunks.read_sample("english.flac")
    transcript = transcribe(chunks.request(store, whisper, sound, language="en"))
    times = [time for word in _words(transcript) for time in (word.start, word.end)]
    assert times == sorted(times)
    for segment in transcript.segments:
        assert segment.start == segment.words[0].start
        assert segment.end == segment.words[-1].end
        assert " ".join(word.text for word in segment.words) == segment.text
        assert 0.5 < segment.confidence <= 1.0


def test_without_word_times_the_text_is_the_same(
    transcribe: Transcribe, store: MemoryBlobStore, whisper: models.ResolvedModel
) -> None:
    sound = chunks.read_sample("spanish.flac")
    transcript = transcribe(chunks.request(store, whisper, sound, language="es", word_times=False))
    truth = chunks.samples_json()["spanish.flac"]
    assert _text(transcript, "es") == truth["text"]
    assert _words(transcript) == []
    for segment, sentence in zip(transcript.segments, truth["sentences"], strict=True):
        assert segment.start == pytest.approx(sentence["start"], abs=0.3)
        assert segment.end == pytest.approx(sentence["end"], abs=0.4)


def test_only_the_speech_that_the_request_names_is_transcribed(
    transcribe: Transcribe, store: MemoryBlobStore, whisper: models.ResolvedModel
) -> None:
    truth = chunks.samples_json()["english.flac"]
    second = truth["sentences"][1]
    place = chunks.Place(start=START, speech=((START + second["start"], START + second["end"]),))
    sound = chunks.read_sample("english.flac")
    transcript = transcribe(chunks.request(store, whisper, sound, language="en", place=place))
    assert _text(transcript, "en") == second["text"]
    assert transcript.speech_seconds == pytest.approx(second["end"] - second["start"])


def test_speech_without_a_silence_is_cut_to_the_models_longest_window(
    transcribe: Transcribe, store: MemoryBlobStore, whisper: models.ResolvedModel
) -> None:
    sound = chunks.read_sample("english-window.flac")
    whole = chunks.Place(speech=((0.0, len(sound) / chunks.SAMPLE_RATE),))
    transcript = transcribe(chunks.request(store, whisper, sound, language="en", place=whole))
    wanted = chunks.samples_json()["english-window.flac"]["text"].split()
    assert evaluate.distance(wanted, _text(transcript, "en").split()) / len(wanted) < 0.2


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(np.zeros(5 * chunks.SAMPLE_RATE, np.float32), id="silence"),
        pytest.param(
            np.random.default_rng(3).standard_normal(80_000).astype(np.float32) * np.float32(0.01), id="noise"
        ),
    ],
)
def test_sound_without_speech_has_an_empty_transcript(
    transcribe: Transcribe, store: MemoryBlobStore, whisper: models.ResolvedModel, sound: chunks.Samples
) -> None:
    transcript = transcribe(chunks.request(store, whisper, sound))
    assert (transcript.segments, transcript.gaps, transcript.speech_seconds) == ((), (), 0.0)
    assert transcript.language == languages.UNDETERMINED


def test_silence_that_was_taken_for_speech_is_a_gap_and_no_invention(
    transcribe: Transcribe, store: MemoryBlobStore, whisper: models.ResolvedModel
) -> None:
    place = chunks.Place(start=START, speech=((START + 1.0, START + 3.0),))
    silence = np.zeros(5 * chunks.SAMPLE_RATE, np.float32)
    transcript = transcribe(chunks.request(store, whisper, silence, language="en", place=place))
    assert transcript.segments == ()
    assert [(gap.start, gap.end) for gap in transcript.gaps] == [(START + 1.0, START + 3.0)]
    assert transcript.gaps[0].reason is results.GapReason.NO_TEXT


def test_languages_may_change_from_window_to_window(
    transcribe: Transcribe, store: MemoryBlobStore, whisper: models.ResolvedModel
) -> None:
    names = ("spanish.flac", "mandarin.flac")
    sound = np.concatenate([chunks.read_sample(name) for name in names])
    transcript = transcribe(chunks.request(store, whisper, sound))
    for name in names:
        truth = chunks.samples_json()[name]
        language = truth["language"]
        own = [segment.text for segment in transcript.segments if segment.language == language]
        assert languages.joiner(language).join(own) == truth["text"]
        assert all(segment.words for segment in transcript.segments)


def test_the_same_request_gives_the_same_result(
    transcribe: Transcribe, store: MemoryBlobStore, whisper: models.ResolvedModel
) -> None:
    request = chunks.request(store, whisper, chunks.read_sample("spanish.flac"), language="es")
    assert transcribe(request) == transcribe(request)
