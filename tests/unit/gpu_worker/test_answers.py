"""What is believed of the decoder's answers."""

from __future__ import annotations

import pytest

from gpu_worker import whisper_answers
from gpu_worker.engines import SpokenWord, Verdict
from gpu_worker.whisper_decoding import Answer
from gpu_worker.whisper_tokens import TokenSegment


def _answer(text: str = "Open the door.", *, mean: float = -0.2, no_speech: float = 0.0) -> Answer:
    return Answer(tokens=(1,), text=text, mean_log_probability=mean, no_speech_probability=no_speech)


@pytest.mark.parametrize(
    ("answer", "believable", "silence"),
    [
        pytest.param(_answer(), True, False, id="a sure sentence"),
        pytest.param(_answer(mean=-1.5), False, False, id="an improbable sentence is asked for again"),
        pytest.param(_answer("the the the " * 20), False, False, id="repetition is asked for again"),
        pytest.param(_answer(no_speech=0.99), True, False, id="a sure sentence despite no_speech"),
        pytest.param(_answer(mean=-1.5, no_speech=0.99), True, True, id="unsure and no_speech: silence"),
        pytest.param(_answer(""), True, False, id="no text"),
    ],
)
def test_thresholds_follow_whisper(answer: Answer, believable: bool, silence: bool) -> None:  # noqa: FBT001 - a table
    assert (answer.is_believable, answer.is_silence) == (believable, silence)


def test_text_over_silence_is_rejected_with_its_reason() -> None:
    answer = _answer("Thank you for watching.", mean=-1.4, no_speech=0.97)
    text = whisper_answers.clip_text("en", answer, [], [], decode=lambda _: "")
    assert text.verdict is Verdict.REJECTED
    assert text.segments == ()
    assert "0.97" in text.detail
    assert "watching" not in text.detail


def test_an_empty_answer_is_no_text() -> None:
    text = whisper_answers.clip_text("en", _answer(""), [], [], decode=lambda _: "")
    assert (text.verdict, text.segments) == (Verdict.NO_TEXT, ())


def test_a_segment_begins_and_ends_with_its_words() -> None:
    segment = TokenSegment(start=0.0, end=5.0, tokens=(1, 2))
    words = (
        SpokenWord(start=0.5, end=1.0, text="Open", confidence=0.8),
        SpokenWord(start=1.0, end=1.6, text="it.", confidence=0.6),
    )
    text = whisper_answers.clip_text("en", _answer(), [segment], [words], decode=lambda _: " Open it.")
    (spoken,) = text.segments
    assert (spoken.start, spoken.end, spoken.text) == (0.5, 1.6, "Open it.")
    assert spoken.confidence == pytest.approx(0.7)


def test_without_words_a_segment_keeps_the_models_times_and_confidence() -> None:
    segment = TokenSegment(start=0.4, end=5.0, tokens=(1, 2))
    text = whisper_answers.clip_text("en", _answer(mean=0.0), [segment], [], decode=lambda _: " Open it.")
    (spoken,) = text.segments
    assert (spoken.start, spoken.end, spoken.confidence, spoken.words) == (0.4, 5.0, 1.0, ())
