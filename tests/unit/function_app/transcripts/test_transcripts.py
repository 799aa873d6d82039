"""Chunks become one transcript: in time order, nothing twice, nothing lost without a word."""

from __future__ import annotations

import pytest

from contracts import results
from tests.unit.function_app.transcripts import builders
from tests.unit.function_app.transcripts.builders import chunk_transcript, merged, plan, planned, segment


def test_segments_follow_one_another_in_time_and_are_numbered() -> None:
    first, second = planned(0, 0, 10), planned(1, 10, 20)
    transcript = merged(
        plan(first, second),
        chunk_transcript(second, segment("and goodbye.", 12)),
        chunk_transcript(first, segment("Hello", 1), segment("to all", 5)),
    )
    assert [one.id for one in transcript.segments] == [0, 1, 2]
    assert transcript.text == "Hello to all and goodbye."
    assert transcript.duration_seconds == 20


def test_channels_are_woven_together_by_time() -> None:
    left, right = planned(0, 0, 10), planned(1, 0, 10, channel=1)
    transcript = merged(
        plan(left, right),
        chunk_transcript(left, segment("How are you?", 1), segment("Good.", 6)),
        chunk_transcript(right, segment("Fine, and you?", 3)),
    )
    assert [(one.channel, one.text) for one in transcript.segments] == [
        (0, "How are you?"),
        (1, "Fine, and you?"),
        (0, "Good."),
    ]


@pytest.mark.parametrize(
    ("early", "late", "text"),
    [
        # Both heard the same words: they stand there once.
        ("one two three four", "three four five six", "one two three four five six"),
        # Case and punctuation do not count.
        ("one two Three four,", "three four five six", "one two Three four, five six"),
        # The earlier chunk lost its last word, cut in half: it is taken from the later one.
        ("one two three fo", "three four five six", "one two three four five six"),
        # The later chunk began with half a word.
        ("one two three four", "ree four five six", "one two three four five six"),
    ],
)
def test_words_that_two_chunks_heard_stand_there_once(early: str, late: str, text: str) -> None:
    # Words of 0.5 s: `one two` up to 9 s, `three four` from 9 to 10 s, where the chunks overlap.
    first, second = planned(0, 0, 10), planned(1, 9, 20, overlap=1.0)
    transcript = merged(
        plan(first, second),
        chunk_transcript(first, segment(early, 8.0)),
        chunk_transcript(second, segment(late, 9.0)),
    )
    assert transcript.text == text
    written = [word.text for one in transcript.segments for word in one.words]
    assert " ".join(written) == text


def test_same_words_at_slightly_different_times_stand_there_once() -> None:
    first, second = planned(0, 0, 10), planned(1, 9, 20, overlap=1.0)
    transcript = merged(
        plan(first, second),
        chunk_transcript(first, segment("one two three four", 8.0)),
        chunk_transcript(second, segment("three four five six", 9.3)),
    )
    assert transcript.text == "one two three four five six"


def test_overlap_without_a_common_word_is_cut_in_its_middle() -> None:
    first, second = planned(0, 0, 10), planned(1, 9, 20, overlap=1.0)
    transcript = merged(
        plan(first, second),
        chunk_transcript(first, segment("one two tree for", 8.0)),
        chunk_transcript(second, segment("three four five six", 9.0)),
    )
    assert transcript.text == "one two tree four five six"


def test_overlap_without_word_times_is_cut_between_segments() -> None:
    first, second = planned(0, 0, 10), planned(1, 9, 20, overlap=1.0)
    transcript = merged(
        plan(first, second),
        chunk_transcript(first, segment("before", 8.0, timed=False), segment("doubled", 9.2, timed=False)),
        chunk_transcript(second, segment("doubled", 9.2, timed=False), segment("after", 11, timed=False)),
    )
    assert transcript.text == "before doubled after"


def test_text_of_a_cut_segment_keeps_its_writing() -> None:
    first, second = planned(0, 0, 10), planned(1, 9, 20, overlap=1.0)
    late = segment("three four - five; six", 9.0)
    transcript = merged(
        plan(first, second),
        chunk_transcript(first, segment("one two three four", 8.0)),
        chunk_transcript(second, late),
    )
    assert transcript.segments[1].text == "- five; six"


def test_languages_without_spaces_are_joined_without() -> None:
    first, second = planned(0, 0, 10), planned(1, 10, 20)
    transcript = merged(
        plan(first, second),
        chunk_transcript(first, segment("你好。", 1, language="zh")),
        chunk_transcript(second, segment("再见。", 11, language="zh")),
        language="zh",
    )
    assert transcript.text == "你好。再见。"


def test_language_is_that_of_most_speech_where_nobody_knew_it() -> None:
    chunk = planned(0, 0, 20)
    transcript = merged(
        plan(chunk),
        chunk_transcript(chunk, segment("Hello", 0), segment("hola a todos los amigos", 5, language="es")),
        language=None,
    )
    assert transcript.language == "es"


def test_failed_chunk_leaves_its_speech_as_gaps() -> None:
    first, second = planned(0, 0, 10), planned(1, 10, 20)
    transcript = merged(
        plan(first, second), chunk_transcript(first, segment("Hello", 1)), failures={1: builders.BROKEN}
    )
    (gap,) = transcript.coverage.gaps
    assert (gap.start, gap.end) == (10, 20)
    assert (gap.reason, gap.detail) == (results.GapReason.CHUNK_FAILED, "Broken.")
    assert "1 of 2 chunks could not be transcribed" in transcript.warnings


@pytest.mark.parametrize(
    ("failed", "gap_seconds"),
    [
        # Everything was heard.
        (set(), 0.0),
        # The overlap was heard by the second chunk.
        ({0}, 9.0),
        # The overlap was heard by the first chunk.
        ({1}, 10.0),
        ({0, 1}, 20.0),
    ],
)
def test_overlap_counts_once_in_the_coverage(failed: set[int], gap_seconds: float) -> None:
    first, second = planned(0, 0, 10), planned(1, 9, 20, overlap=1.0)
    heard = [chunk_transcript(chunk) for chunk in (first, second) if chunk.index not in failed]
    failures = dict.fromkeys(failed, builders.BROKEN)
    coverage = merged(plan(first, second), *heard, failures=failures).coverage
    assert coverage.speech_seconds == 20.0
    assert coverage.gap_seconds == gap_seconds
    assert coverage.transcribed_seconds == 20.0 - gap_seconds


def test_gaps_of_chunks_are_kept() -> None:
    chunk = planned(0, 0, 10)
    gap = results.Gap(start=4, end=6, reason=results.GapReason.NO_TEXT)
    coverage = merged(plan(chunk), chunk_transcript(chunk, segment("Hello", 1), gaps=[gap])).coverage
    assert coverage.gaps == (gap,)
    assert coverage.transcribed_seconds == 8.0


def test_recording_without_speech_has_an_empty_transcript_and_says_so() -> None:
    transcript = merged(plan(), language="und")
    assert (transcript.text, transcript.segments) == ("", ())
    assert transcript.warnings == ("no speech was found",)
    assert transcript.coverage.speech_seconds == 0


def test_warnings_stand_there_once() -> None:
    first, second = planned(0, 0, 10), planned(1, 10, 20)
    transcript = merged(
        plan(first, second, warnings=("mono",)),
        chunk_transcript(first, warnings=("rough",)),
        chunk_transcript(second, warnings=("rough",)),
    )
    assert transcript.warnings == ("mono", "rough")
