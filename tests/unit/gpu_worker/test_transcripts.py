"""Every span of speech is in a segment or in a gap."""

from __future__ import annotations

import pytest

from contracts import results
from gpu_worker import transcripts
from gpu_worker.engines import ClipText, SpokenSegment, SpokenWord, Verdict
from gpu_worker.windows import Speech, Window

WINDOW = Window(
    start=100.0, end=109.0, speech=(Speech(start=100.2, end=103.0), Speech(start=105.0, end=108.0))
)


def _text(*intervals: tuple[float, float], verdict: Verdict = Verdict.TEXT, language: str = "en") -> ClipText:
    segments = tuple(
        SpokenSegment(
            start=start,
            end=end,
            text="Open it.",
            confidence=0.5,
            words=(SpokenWord(start=start, end=end, text="Open it.", confidence=0.5),),
        )
        for start, end in intervals
    )
    return ClipText(language=language, verdict=verdict, segments=segments, detail="")


def test_times_count_from_the_start_of_the_recording() -> None:
    (segment,) = transcripts.segments_of(WINDOW, _text((0.25, 2.5)))
    assert (segment.start, segment.end) == (100.25, 102.5)
    assert (segment.words[0].start, segment.words[0].end) == (100.25, 102.5)


def test_nothing_lies_outside_its_window() -> None:
    (segment,) = transcripts.segments_of(WINDOW, _text((8.0, 30.0)))
    assert (segment.start, segment.end) == (108.0, 109.0)


@pytest.mark.parametrize(
    ("text", "gaps"),
    [
        pytest.param(_text((0.2, 2.0), (5.0, 8.0)), [], id="all transcribed"),
        pytest.param(_text((0.2, 8.0)), [], id="one segment over both spans"),
        pytest.param(_text((0.2, 2.0)), [(105.0, 108.0, "no_text")], id="one span without text"),
        pytest.param(
            _text(verdict=Verdict.NO_TEXT),
            [(100.2, 103.0, "no_text"), (105.0, 108.0, "no_text")],
            id="no text at all",
        ),
        pytest.param(
            _text(verdict=Verdict.REJECTED),
            [(100.2, 103.0, "rejected"), (105.0, 108.0, "rejected")],
            id="rejected",
        ),
    ],
)
def test_speech_without_a_segment_is_a_gap(text: ClipText, gaps: list[tuple[float, float, str]]) -> None:
    assert [(gap.start, gap.end, gap.reason) for gap in transcripts.gaps_of(WINDOW, text)] == [
        (start, end, results.GapReason(reason)) for start, end, reason in gaps
    ]


def test_the_main_language_is_that_of_most_speech_with_text() -> None:
    short = Window(start=0.0, end=2.0, speech=(Speech(start=0.0, end=2.0),))
    texts = [_text((0, 1), language="es"), _text((0, 1), language="en"), _text(verdict=Verdict.NO_TEXT)]
    assert transcripts.main_language([short, WINDOW, WINDOW], texts) == "en"
    assert transcripts.main_language([WINDOW], [_text(verdict=Verdict.NO_TEXT)]) == "und"
