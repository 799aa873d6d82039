"""Finding speech."""

from __future__ import annotations

import numpy as np
import pytest
from faster_whisper import vad
from hypothesis import given
from hypothesis import strategies as st

from lid_worker.prepare import speech
from lid_worker.prepare.sound import SAMPLE_RATE_HZ, samples
from lid_worker.prepare.speech import SpeechFinder, SpeechSpan
from lid_worker.prepare.voice import WINDOW_SAMPLES, VoiceModel, VoiceStream
from tests.unit.lid_worker import sounds


@pytest.fixture(scope="module")
def model() -> VoiceModel:
    return VoiceModel()


def streamed(model: VoiceModel, sound: np.ndarray[tuple[int], np.dtype[np.int16]], block: int) -> list[float]:
    stream = VoiceStream(model)
    probabilities: list[float] = []
    for start in range(0, len(sound), block):
        probabilities += stream.feed(sound[start : start + block])
    return [*probabilities, *stream.finish()]


def found(model: VoiceModel, name: str) -> tuple[SpeechSpan, ...]:
    sound = sounds.samples_of(name)
    finder = SpeechFinder()
    finder.feed(streamed(model, sound, 16000))
    return finder.spans(total=len(sound))


def from_pattern(pattern: list[tuple[float, int]]) -> tuple[SpeechSpan, ...]:
    """Spans of so many windows of each probability."""
    finder = SpeechFinder()
    total = 0
    for probability, windows in pattern:
        finder.feed([probability] * windows)
        total += windows
    return finder.spans(total=total * WINDOW_SAMPLES)


@pytest.mark.parametrize("block", [16000, 12345, 480])
def test_stream_gives_the_probabilities_of_the_whole(model: VoiceModel, block: int) -> None:
    sound = sounds.samples_of("english-pauses.flac")
    whole = sound.astype(np.float32) / 32768.0
    padded = np.pad(whole, (0, WINDOW_SAMPLES - len(whole) % WINDOW_SAMPLES))
    expected = vad.get_vad_model()(padded).reshape(-1)
    assert streamed(model, sound, block) == pytest.approx(expected.tolist(), abs=1e-5)


@pytest.mark.parametrize(
    "entry",
    [entry for entry in sounds.described() if not entry["hard"] and entry["sample_rate"] == SAMPLE_RATE_HZ],
    ids=lambda entry: str(entry["file"]),
)
def test_every_sentence_of_a_sample_is_a_span_of_its_own(model: VoiceModel, entry: dict[str, object]) -> None:
    sentences = entry["sentences"]
    assert isinstance(sentences, list)
    spans = found(model, str(entry["file"]))
    assert len(spans) == len(sentences)
    for span, sentence in zip(spans, sentences, strict=True):
        assert span.start <= samples(sentence["start"] + 0.05)
        assert span.end >= samples(sentence["end"] - 0.05)


def test_silence_has_no_speech(model: VoiceModel) -> None:
    finder = SpeechFinder()
    finder.feed(streamed(model, np.zeros(5 * SAMPLE_RATE_HZ, dtype=np.int16), 16000))
    assert finder.spans(total=5 * SAMPLE_RATE_HZ) == ()


def test_short_pause_stays_inside_its_span_and_is_remembered() -> None:
    (span,) = from_pattern([(0.0, 20), (0.9, 30), (0.1, 5), (0.9, 30), (0.0, 20)])
    assert [(p.start // WINDOW_SAMPLES, p.end // WINDOW_SAMPLES) for p in span.pauses] == [(50, 55)]


def test_pause_of_a_third_of_a_second_separates() -> None:
    assert len(from_pattern([(0.9, 30), (0.1, 11), (0.9, 30)])) == 2


def test_hesitant_probabilities_keep_speech_going_but_do_not_begin_it() -> None:
    assert from_pattern([(0.4, 50)]) == ()
    assert len(from_pattern([(0.9, 10), (0.4, 50), (0.9, 10)])) == 1


def test_click_is_no_speech() -> None:
    assert from_pattern([(0.0, 20), (0.9, 3), (0.0, 20)]) == ()


def test_speech_up_to_the_end_is_found() -> None:
    (span,) = from_pattern([(0.0, 20), (0.9, 30)])
    assert span.end == 50 * WINDOW_SAMPLES


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.9]), st.integers(1, 40)), max_size=30))
def test_spans_are_in_order_apart_and_inside_the_recording(pattern: list[tuple[float, int]]) -> None:
    total = sum(windows for _, windows in pattern) * WINDOW_SAMPLES
    spans = from_pattern(pattern)
    marks = [mark for span in spans for mark in (span.start, span.end)]
    assert marks == sorted(marks)
    assert all(span.length >= speech.SHORTEST_SPEECH for span in spans)
    assert not marks or (marks[0] >= 0 and marks[-1] <= total)
    for span in spans:
        assert all(span.start <= pause.start < pause.end <= span.end for pause in span.pauses)
