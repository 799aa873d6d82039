"""A chunk's transcript from what the engine made of its windows. Pure.

Every span of speech ends up in a segment or in a gap with its reason.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from contracts import languages, results
from gpu_worker.engines import ClipText, SpokenSegment, SpokenWord, Verdict
from gpu_worker.windows import Speech, Window

_DECIMALS: Final = 3
_GAP_REASONS: Final = {
    Verdict.TEXT: results.GapReason.NO_TEXT,
    Verdict.NO_TEXT: results.GapReason.NO_TEXT,
    Verdict.REJECTED: results.GapReason.REJECTED,
}


def segments_of(window: Window, text: ClipText) -> Iterator[results.Segment]:
    """The window's segments with times of the recording, none outside the window."""
    for segment in text.segments:
        words = tuple(_word(window, word) for word in segment.words)
        start, end = _interval(window, segment)
        yield results.Segment(
            start=start,
            end=end,
            text=segment.text,
            confidence=round(segment.confidence, _DECIMALS),
            language=text.language,
            words=words,
        )


def gaps_of(window: Window, text: ClipText) -> Iterator[results.Gap]:
    """The window's speech that no segment touches."""
    heard = [
        Speech(start=window.start + segment.start, end=window.start + segment.end)
        for segment in text.segments
    ]
    for span in window.speech:
        if not any(part.start < span.end and span.start < part.end for part in heard):
            yield results.Gap(
                start=round(span.start, _DECIMALS),
                end=round(span.end, _DECIMALS),
                reason=_GAP_REASONS[text.verdict],
                detail=text.detail,
            )


def speech_seconds(windows: Sequence[Window]) -> float:
    """How much speech the windows hold, silences left out."""
    return round(sum(span.end - span.start for window in windows for span in window.speech), _DECIMALS)


def main_language(windows: Sequence[Window], texts: Sequence[ClipText]) -> str:
    """The language of most of the speech that has text; `und` without any."""
    seconds: dict[str, float] = defaultdict(float)
    for window, text in zip(windows, texts, strict=True):
        if text.verdict is Verdict.TEXT:
            seconds[text.language] += window.seconds
    return max(seconds, key=lambda tag: (seconds[tag], tag)) if seconds else languages.UNDETERMINED


def _interval(window: Window, part: SpokenSegment | SpokenWord) -> tuple[float, float]:
    start = min(window.start + part.start, window.end)
    end = min(max(window.start + part.end, start), window.end)
    return round(start, _DECIMALS), round(end, _DECIMALS)


def _word(window: Window, word: SpokenWord) -> results.Word:
    start, end = _interval(window, word)
    return results.Word(start=start, end=end, text=word.text, confidence=round(word.confidence, _DECIMALS))
