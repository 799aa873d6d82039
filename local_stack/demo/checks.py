"""What is wrong with an outcome, in sentences; none when all is as it must be."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from client import outcome
from contracts import results
from local_stack.demo import recordings, subtitles

MOST_MEAN_TIME_ERROR_SECONDS = 0.2
LEAST_SHARE_OF_WORDS_FOUND = 0.9
_LATEST_END_SLACK_SECONDS = 0.5
_NOT_LETTERS = re.compile(r"[^\w]+")


def faults(expected: recordings.Recording, ended: outcome.Outcome, saved: Path) -> list[str]:
    """Everything that is not as it must be; `saved` holds the job's files."""
    if ended.view.status is not expected.status:
        why = ended.view.error.message if ended.view.error else "no reason given"
        return [f"ended {ended.view.status} instead of {expected.status}: {why}"]
    if expected.error_codes:
        return list(_reason(expected, ended))
    transcript = ended.results.transcript
    if transcript is None:
        return ["has no transcript"]
    found = [*_language(expected, ended), *_text(expected, transcript), *_times(expected, transcript)]
    return [*found, *_files(transcript, saved)]


def word_error_rate(expected: str, heard: str) -> float:
    """Insertions, deletions and substitutions per word expected; case and punctuation do not count."""
    wanted, got = _words(expected), _words(heard)
    distances = list(range(len(got) + 1))
    for row, word in enumerate(wanted, start=1):
        diagonal, distances[0] = distances[0], row
        for column, other in enumerate(got, start=1):
            best = min(distances[column] + 1, distances[column - 1] + 1, diagonal + (word != other))
            diagonal, distances[column] = distances[column], best
    return distances[-1] / max(1, len(wanted))


def mean_time_errors_seconds(
    expected: Sequence[recordings.KnownWord], heard: Sequence[results.Word]
) -> tuple[float, float, float]:
    """Mean distances of starts and of ends of words found in both; the share of expected words found."""
    wanted = [_plain(word.text) for word in expected]
    got = [_plain(word.text) for word in heard]
    matcher = difflib.SequenceMatcher(None, wanted, got, autojunk=False)
    pairs = [
        (expected[block.a + offset], heard[block.b + offset])
        for block in matcher.get_matching_blocks()
        for offset in range(block.size)
    ]
    if not pairs:
        return float("inf"), float("inf"), 0.0
    starts = sum(abs(known.start - word.start) for known, word in pairs)
    ends = sum(abs(known.end - word.end) for known, word in pairs)
    return starts / len(pairs), ends / len(pairs), len(pairs) / len(wanted)


def _reason(expected: recordings.Recording, ended: outcome.Outcome) -> Iterator[str]:
    error = ended.view.error
    if error is None or not error.message.strip():
        yield "failed without a reason"
    elif error.code not in expected.error_codes:
        yield f"failed as {error.code} ({error.message}) instead of {', '.join(sorted(expected.error_codes))}"


def _language(expected: recordings.Recording, ended: outcome.Outcome) -> Iterator[str]:
    for where, language in (("job", ended.view.language), ("results", ended.results.language)):
        if language != expected.language:
            yield f"the {where} says language {language} instead of {expected.language}"


def _text(expected: recordings.Recording, transcript: results.Transcript) -> Iterator[str]:
    if expected.most_word_error_rate:
        rate = word_error_rate(expected.text, transcript.text)
        if rate >= expected.most_word_error_rate:
            yield f"word error rate {rate:.3f}, not under {expected.most_word_error_rate}"
    elif transcript.text != expected.text:
        yield f"the text is {transcript.text!r} instead of {expected.text!r}"


def _times(expected: recordings.Recording, transcript: results.Transcript) -> Iterator[str]:
    heard = [word for segment in transcript.segments for word in segment.words]
    starts_seconds, ends_seconds, share = mean_time_errors_seconds(expected.words, heard)
    if share < LEAST_SHARE_OF_WORDS_FOUND:
        yield f"only {share:.0%} of the known words have a time"
    for what, error_seconds in (("start", starts_seconds), ("end", ends_seconds)):
        if error_seconds > MOST_MEAN_TIME_ERROR_SECONDS:
            yield f"words {what} {error_seconds:.2f} s away from where they are, on average"


def _files(transcript: results.Transcript, saved: Path) -> Iterator[str]:
    text = saved / "transcript.txt"
    if not text.is_file() or _letters(text.read_text("utf-8")) != _letters(transcript.text):
        yield "transcript.txt is missing or says something else"
    for name in ("transcript.srt", "transcript.vtt"):
        try:
            cues = subtitles.read(saved / name)
        except (OSError, ValueError) as error:
            yield str(error)
            continue
        yield from _cues(name, cues, transcript)


def _cues(name: str, cues: Sequence[subtitles.Cue], transcript: results.Transcript) -> Iterator[str]:
    if _letters("".join(cue.text for cue in cues)) != _letters(transcript.text):
        yield f"{name} says something else than the transcript"
    if any(cue.end <= cue.start for cue in cues) or any(b.start < a.start for a, b in pairwise(cues)):
        yield f"{name} has times that run backwards"
    if cues and cues[-1].end > transcript.duration_seconds + _LATEST_END_SLACK_SECONDS:
        yield f"{name} ends after the recording"


def _words(text: str) -> list[str]:
    return [plain for word in text.split() if (plain := _plain(word))]


def _plain(word: str) -> str:
    return _NOT_LETTERS.sub("", word).casefold()


def _letters(text: str) -> str:
    return _NOT_LETTERS.sub("", text)
