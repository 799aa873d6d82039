"""From voice probabilities to stretches of speech. Pure; counts in samples."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lid_worker.prepare.sound import samples
from lid_worker.prepare.voice import WINDOW_SAMPLES

BEGIN_PROBABILITY: Final = 0.5
END_PROBABILITY: Final = 0.35
"""Silero's own: speech begins at .5 and ends below .35."""
SHORTEST_SILENCE: Final = samples(0.3)
"""A shorter pause stays inside its span; sentences 0.6 s apart come out as spans of their own."""
SHORTEST_SPEECH: Final = samples(0.1)
"""Less is a click."""
SHORTEST_PAUSE: Final = samples(0.098)
"""Within a span, a silence at which it may be cut in need; Silero's own figure."""
PADDING: Final = samples(0.15)
"""Added on each side: voice detection is late at soft beginnings and early at soft ends."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """From `start` up to but not including `end`, in samples from the start of the recording."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """In samples."""
        return self.end - self.start


@dataclass(frozen=True, kw_only=True)
class SpeechSpan(Stretch):
    """Speech, with the short pauses inside it."""

    pauses: tuple[Stretch, ...] = ()


class SpeechFinder:
    """Takes probabilities one window after another; what it keeps grows with the number of spans."""

    def __init__(self) -> None:
        self._window = 0
        self._start: int | None = None
        self._quiet_since: int | None = None
        self._pauses: list[Stretch] = []
        self._spans: list[SpeechSpan] = []

    def feed(self, probabilities: Iterable[float]) -> None:
        """The next windows of the recording."""
        for probability in probabilities:
            self._step(probability, self._window * WINDOW_SAMPLES)
            self._window += 1

    def spans(self, *, total: int) -> tuple[SpeechSpan, ...]:
        """All speech of a recording of `total` samples, padded, in order and apart. Ends the search."""
        if self._start is not None:
            self._close(self._quiet_since if self._quiet_since is not None else total)
        clipped = [
            SpeechSpan(start=span.start, end=min(span.end, total), pauses=span.pauses)
            for span in self._spans
            if span.start < total
        ]
        return padded(clipped, total=total)

    def _step(self, probability: float, place: int) -> None:
        if self._start is None:
            if probability >= BEGIN_PROBABILITY:
                self._start = place
        elif probability >= BEGIN_PROBABILITY:
            self._end_pause(place)
        elif probability < END_PROBABILITY and self._quiet_since is None:
            self._quiet_since = place
        if self._quiet_since is not None and place + WINDOW_SAMPLES - self._quiet_since >= SHORTEST_SILENCE:
            self._close(self._quiet_since)

    def _end_pause(self, place: int) -> None:
        if self._quiet_since is not None and place - self._quiet_since >= SHORTEST_PAUSE:
            self._pauses.append(Stretch(start=self._quiet_since, end=place))
        self._quiet_since = None

    def _close(self, end: int) -> None:
        if self._start is not None and end - self._start >= SHORTEST_SPEECH:
            self._spans.append(SpeechSpan(start=self._start, end=end, pauses=tuple(self._pauses)))
        self._start, self._quiet_since, self._pauses = None, None, []


def padded(spans: Sequence[SpeechSpan], *, total: int) -> tuple[SpeechSpan, ...]:
    """Every span longer by PADDING on both sides; neighbours share a silence too short for both."""
    result = []
    for index, span in enumerate(spans):
        room_before = span.start - (spans[index - 1].end if index else -span.start)
        following = spans[index + 1].start if index + 1 < len(spans) else 2 * total - span.end
        before = min(PADDING, room_before // 2)
        after = min(PADDING, (following - span.end) // 2)
        result.append(SpeechSpan(start=span.start - before, end=span.end + after, pauses=span.pauses))
    return tuple(result)
