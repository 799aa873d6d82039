"""Windows: what the model sees at once. Pure functions over times; nothing here knows a model or a file.

A window is one unbroken stretch of the recording, so that a time inside it plus its start is a time in the
recording. It holds one or more pieces of speech with the silence between them, is cut in silences, and is
never longer than the model's longest window. Speech without a silence for longer than that is cut where a
caller-given function finds it quietest.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

Quietest = Callable[[float, float], float]
"""The best place for a cut between two times; all in seconds from the start of the recording."""

_EARLIEST_CUT = 0.5
"""A piece that is cut from a long span is at least this share of the longest piece."""


@dataclass(frozen=True, kw_only=True)
class Speech:
    """A piece of speech, in seconds from the start of the recording."""

    start: float
    end: float


@dataclass(frozen=True, kw_only=True)
class Window:
    """A stretch of the recording with the speech inside it, in order."""

    start: float
    end: float
    speech: tuple[Speech, ...]

    @property
    def seconds(self) -> float:
        """Length, silences included."""
        return self.end - self.start


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How speech is grouped."""

    longest_seconds: float
    """No window is longer, margins included."""
    join_gap_seconds: float
    """Pieces of speech further apart than this never share a window."""
    margin_seconds: float
    """Sound kept before and after the speech of a window, where the neighbours leave room for it."""

    @property
    def longest_speech_seconds(self) -> float:
        """What margins leave of a window."""
        return self.longest_seconds - 2 * self.margin_seconds


def plan(spans: Sequence[Speech], *, bounds: Speech, rules: Rules, quietest: Quietest) -> tuple[Window, ...]:
    """Windows over all the speech inside `bounds`, in order.

    Every instant of the spans lies in exactly one window's speech; parts outside `bounds` are dropped.
    Spans may overlap or touch and need not be in order.
    """
    pieces = [
        piece
        for span in merged(spans, bounds=bounds)
        for piece in split(span, longest_seconds=rules.longest_speech_seconds, quietest=quietest)
    ]
    groups = list(_grouped(pieces, rules))
    return tuple(
        _window(
            group,
            not_before=groups[index - 1][-1].end if index else bounds.start,
            not_after=groups[index + 1][0].start if index + 1 < len(groups) else bounds.end,
            bounds=bounds,
            margin_seconds=rules.margin_seconds,
        )
        for index, group in enumerate(groups)
    )


def merged(spans: Sequence[Speech], *, bounds: Speech) -> list[Speech]:
    """The same speech as disjoint spans in order, cut to `bounds`; empty spans vanish."""
    result: list[Speech] = []
    for span in sorted(spans, key=lambda each: (each.start, each.end)):
        start, end = max(span.start, bounds.start), min(span.end, bounds.end)
        if end <= start:
            continue
        if result and start <= result[-1].end:
            result[-1] = Speech(start=result[-1].start, end=max(end, result[-1].end))
        else:
            result.append(Speech(start=start, end=end))
    return result


def split(span: Speech, *, longest_seconds: float, quietest: Quietest) -> Iterator[Speech]:
    """The span in pieces of at most `longest_seconds`, cut at its quietest places."""
    start = span.start
    while span.end - start > longest_seconds:
        latest = start + longest_seconds
        earliest = start + longest_seconds * _EARLIEST_CUT
        cut = min(max(quietest(earliest, latest), earliest), latest)
        yield Speech(start=start, end=cut)
        start = cut
    yield Speech(start=start, end=span.end)


def _grouped(pieces: Sequence[Speech], rules: Rules) -> Iterator[tuple[Speech, ...]]:
    group: list[Speech] = []
    for piece in pieces:
        if group and not _fits(group, piece, rules):
            yield tuple(group)
            group = []
        group.append(piece)
    if group:
        yield tuple(group)


def _fits(group: Sequence[Speech], piece: Speech, rules: Rules) -> bool:
    near = piece.start - group[-1].end <= rules.join_gap_seconds
    return near and piece.end - group[0].start <= rules.longest_speech_seconds


def _window(
    group: tuple[Speech, ...], *, not_before: float, not_after: float, bounds: Speech, margin_seconds: float
) -> Window:
    """The group with its margins; a gap to a neighbour is shared half and half."""
    start, end = group[0].start, group[-1].end
    room_before = start - bounds.start if not_before == bounds.start else (start - not_before) / 2
    room_after = bounds.end - end if not_after == bounds.end else (not_after - end) / 2
    return Window(
        start=start - min(margin_seconds, room_before),
        end=end + min(margin_seconds, room_after),
        speech=group,
    )
