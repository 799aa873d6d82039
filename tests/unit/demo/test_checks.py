"""The demo's checks find what is wrong: a check that cannot fail would show nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from client import outcome
from contracts import api, errors, jobs, results
from local_stack.demo import checks, recordings
from tests.unit.client import answers

SRT = "1\n00:00:00,000 --> 00:00:00,500\nHello\n"
VTT = "WEBVTT\n\n00:00:00.000 --> 00:00:00.500\nHello\n"

EXPECTED = recordings.Recording(
    path=Path("talk.wav"),
    title="a talk",
    language="en",
    text="Hello",
    words=(recordings.KnownWord(text="Hello", start=0.1, end=0.5),),
)
BROKEN = recordings.Recording(
    path=Path("talk.wav"),
    title="a broken one",
    status=jobs.JobStatus.FAILED,
    error_codes=frozenset({errors.ErrorCode.CORRUPT_AUDIO}),
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    for name, content in (("transcript.txt", "Hello\n"), ("transcript.srt", SRT), ("transcript.vtt", VTT)):
        (tmp_path / name).write_text(content)
    return tmp_path


def _ended(view: api.JobView | None = None, **changes: results.Transcript | str | None) -> outcome.Outcome:
    return outcome.Outcome(
        view=view or answers.view(), results=answers.job_results().model_copy(update=changes)
    )


def _transcript(**changes: object) -> results.Transcript:
    transcript = answers.job_results().transcript
    assert transcript is not None
    return transcript.model_copy(update=changes)


def test_outcome_that_is_right_has_no_fault(saved: Path) -> None:
    assert checks.faults(EXPECTED, _ended(), saved) == []


@pytest.mark.parametrize(
    ("ended", "fault"),
    [
        (
            _ended(answers.view(jobs.JobStatus.PARTIAL_COMPLETE)),
            "ended partial_complete instead of completed",
        ),
        (_ended(transcript=None), "has no transcript"),
        (_ended(language="es"), "the results says language es instead of en"),
        (_ended(transcript=_transcript(text="Hello.")), "the text is 'Hello.' instead of 'Hello'"),
        (_ended(transcript=_transcript(segments=())), "only 0% of the known words have a time"),
    ],
)
def test_wrong_outcome_is_told(saved: Path, ended: outcome.Outcome, fault: str) -> None:
    assert any(found.startswith(fault) for found in checks.faults(EXPECTED, ended, saved))


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("transcript.txt", "Bye", "transcript.txt is missing or says something else"),
        ("transcript.srt", "no subtitles at all", "transcript.srt"),
        ("transcript.srt", SRT.replace("Hello", "Bye"), "transcript.srt says something else"),
        ("transcript.vtt", VTT.replace("00.500", "59.500"), "transcript.vtt ends after the recording"),
        ("transcript.vtt", SRT, "transcript.vtt"),
    ],
)
def test_wrong_file_is_told(saved: Path, name: str, content: str, fault: str) -> None:
    (saved / name).write_text(content)
    found = checks.faults(EXPECTED, _ended(), saved)
    assert found
    assert all(one.startswith(fault) for one in found)


@pytest.mark.parametrize(
    ("start", "end", "fault"),
    [
        (0.3, 0.5, "words start 0.30 s away from where they are, on average"),
        (0.0, 0.8, "words end 0.30 s away from where they are, on average"),
    ],
)
def test_words_far_from_their_place_are_told(saved: Path, start: float, end: float, fault: str) -> None:
    late = recordings.Recording(
        path=EXPECTED.path,
        title="late",
        language="en",
        text="Hello",
        words=(recordings.KnownWord(text="Hello", start=start, end=end),),
    )
    assert checks.faults(late, _ended(), saved) == [fault]


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (None, "failed without a reason"),
        (api.ErrorView(code=errors.ErrorCode.INTERNAL_ERROR, message="Oops."), "failed as internal_error"),
    ],
)
def test_failure_must_have_the_right_reason(saved: Path, error: api.ErrorView | None, fault: str) -> None:
    view = answers.view(jobs.JobStatus.FAILED, error=error)
    assert checks.faults(BROKEN, _ended(view), saved)[0].startswith(fault)


def test_failure_for_the_right_reason_has_no_fault(saved: Path) -> None:
    why = api.ErrorView(code=errors.ErrorCode.CORRUPT_AUDIO, message="The file is damaged.")
    assert checks.faults(BROKEN, _ended(answers.view(jobs.JobStatus.FAILED, error=why)), saved) == []


@pytest.mark.parametrize(
    ("expected", "heard", "rate"),
    [
        ("the red door", "The red door.", 0.0),
        ("the red door", "the door", 1 / 3),  # one deletion
        ("the red door", "the red old door", 1 / 3),  # one insertion
        ("the red door", "the green door", 1 / 3),  # one substitution
        ("the red door", "", 1.0),
        ("a b", "c d e f", 2.0),  # more errors than words
    ],
)
def test_word_error_rate(expected: str, heard: str, rate: float) -> None:
    assert checks.word_error_rate(expected, heard) == pytest.approx(rate)
