"""Subtitles that people can read and players can parse."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import results
from function_app import subtitles
from tests.unit.function_app.transcripts import builders

_SRT_BLOCK = re.compile(
    r"(\d+)\n(\d\d):(\d\d):(\d\d),(\d{3}) --> (\d\d):(\d\d):(\d\d),(\d{3})\n((?:[^\n]+\n){1,2})"
)
_VTT_BLOCK = re.compile(
    r"(\d\d):(\d\d):(\d\d)\.(\d{3}) --> (\d\d):(\d\d):(\d\d)\.(\d{3})\n((?:[^\n]+\n){1,2})"
)


def _seconds(*parts: str) -> float:
    hours, minutes, seconds, milliseconds = map(int, parts)
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def parse_srt(text: str) -> list[tuple[float, float, str]]:
    """As a strict player reads it."""
    cues = []
    for number, block in enumerate(text.split("\n\n") if text else [], start=1):
        match = _SRT_BLOCK.fullmatch(block.rstrip("\n") + "\n")
        assert match, block
        assert int(match[1]) == number
        cues.append((_seconds(*match.groups()[1:5]), _seconds(*match.groups()[5:9]), match[10]))
    return cues


def parse_vtt(text: str) -> list[tuple[float, float, str]]:
    """As a strict player reads it."""
    head, _, rest = text.partition("\n")
    assert head == "WEBVTT"
    cues = []
    for block in rest.strip("\n").split("\n\n") if rest.strip("\n") else []:
        match = _VTT_BLOCK.fullmatch(block.rstrip("\n") + "\n")
        assert match, block
        cues.append((_seconds(*match.groups()[:4]), _seconds(*match.groups()[4:8]), match[9]))
    return cues


def transcript_segment(
    text: str, start: float, *, seconds: float = 0.4, channel: int = 0, number: int = 0
) -> results.TranscriptSegment:
    words = builders.words(text, start, seconds=seconds)
    return results.TranscriptSegment(
        id=number,
        start=start,
        end=words[-1].end,
        text=text,
        confidence=1,
        language="en",
        words=words,
        channel=channel,
    )


LONG = (
    "The committee has decided that the new building will be opened next spring, although several "
    "members would have liked to see it finished before the end of this year."
)


def test_long_sentence_becomes_cues_of_two_lines_cut_between_words() -> None:
    cues = subtitles.of_transcript([transcript_segment(LONG, 0)])
    assert len(cues) > 1
    assert " ".join(line for cue in cues for line in cue.lines) == LONG
    for cue in cues:
        assert len(cue.lines) <= 2
        assert all(len(line) <= 42 for line in cue.lines)
        assert 1 <= cue.end - cue.start <= 7


def test_cues_begin_with_their_first_word() -> None:
    segment = transcript_segment(LONG, 3)
    cues = subtitles.of_transcript([segment])
    starts = {word.start for word in segment.words}
    assert {cue.start for cue in cues} <= starts


def test_slow_speech_is_cut_after_seven_seconds() -> None:
    cues = subtitles.of_transcript([transcript_segment("one two three four five six", 0, seconds=3)])
    assert [cue.lines for cue in cues] == [("one two",), ("three four",), ("five six",)]


def test_cue_does_not_stay_over_a_pause() -> None:
    words = (*builders.words("before it", 0), *builders.words("after it", 4))
    segment = transcript_segment("before it after it", 0).model_copy(update={"words": words, "end": 5.0})
    cues = subtitles.of_transcript([segment])
    assert [cue.lines for cue in cues] == [("before it",), ("after it",)]


def test_short_cue_stays_for_a_second() -> None:
    (cue,) = subtitles.of_transcript([transcript_segment("Yes.", 2, seconds=0.2)])
    assert (cue.start, cue.end) == (2, 3)


def test_short_sentences_that_follow_at_once_share_a_cue() -> None:
    cues = subtitles.of_transcript(
        [transcript_segment("Yes.", 2, seconds=0.2), transcript_segment("Of course.", 2.4, seconds=0.5)]
    )
    assert [cue.lines for cue in cues] == [("Yes.", "Of course.")]


def test_chinese_lines_have_sixteen_characters() -> None:
    text = "今天我们要讨论的是新的办公楼什么时候可以开始使用以及谁来负责搬家的工作"
    segment = results.TranslatedSegment(id=0, start=0, end=12, text=text)
    cues = subtitles.of_translation([segment])
    assert "".join(line for cue in cues for line in cue.lines) == text
    assert all(len(line) <= 16 for cue in cues for line in cue.lines)
    assert len(cues) > 1


def test_translation_shares_out_the_time_by_length() -> None:
    segment = results.TranslatedSegment(id=0, start=10, end=22, text=LONG)
    cues = subtitles.of_translation([segment])
    assert cues[0].start == 10
    assert cues[-1].end == pytest.approx(22)
    assert all(first.end <= second.start for first, second in itertools.pairwise(cues))


def test_channels_may_speak_at_the_same_time() -> None:
    cues = subtitles.of_transcript(
        [transcript_segment("I think that", 0, channel=0), transcript_segment("No no", 0.5, channel=1)]
    )
    assert [cue.channel for cue in cues] == [0, 1]
    assert cues[0].end > cues[1].start


def test_nothing_said_gives_valid_empty_files() -> None:
    assert subtitles.srt(()) == ""
    assert parse_vtt(subtitles.vtt(())) == []


def test_times_beyond_an_hour_and_rounding() -> None:
    cue = subtitles.Cue(start=3661.0004, end=3662.9996, lines=("late",))
    assert subtitles.srt([cue]) == "1\n01:01:01,000 --> 01:01:03,000\nlate\n"


def test_markup_in_speech_is_text() -> None:
    cue = subtitles.Cue(start=0, end=1, lines=("a <b> & --> c",))
    assert parse_vtt(subtitles.vtt([cue]))[0][2] == "a &lt;b&gt; &amp; --&gt; c\n"
    assert "-->" not in parse_srt(subtitles.srt([cue]))[0][2]


words = st.text(alphabet="abcdefghij今天我们<&>-.", min_size=1, max_size=12)
segments = st.lists(
    st.tuples(
        st.lists(words, min_size=1, max_size=30),
        st.floats(0, 5, allow_nan=False),
        st.floats(0.0, 2, allow_nan=False),
    ),
    max_size=8,
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(given_segments=segments)
def test_whatever_is_said_can_be_parsed_and_is_in_order(
    given_segments: list[tuple[list[str], float, float]],
) -> None:
    said, start = [], 0.0
    for number, (texts, pause, seconds) in enumerate(given_segments):
        said.append(transcript_segment(" ".join(texts), start + pause, seconds=seconds, number=number))
        start = said[-1].end
    cues = subtitles.of_transcript(said)
    parsed = parse_srt(subtitles.srt(cues))
    assert len(parsed) == len(parse_vtt(subtitles.vtt(cues))) == len(cues)
    assert all(begin < end for begin, end, _ in parsed)
    assert all(one[1] <= two[0] for one, two in itertools.pairwise(parsed))
    kept = "".join(text.replace("\n", "") for _, _, text in parsed).replace(" ", "")
    assert kept == "".join(one.text for one in said).replace(" ", "").replace("-->", "→")
