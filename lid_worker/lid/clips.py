"""Which places of a recording are listened to. Pure; in seconds from the start of the recording."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contracts import messages, results

FULL_SHARE: Final = 0.99
"""Shorter clips, from the ends of chunks, tell less: they are used only where full ones are too few."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Speech of one chunk, without the silence between."""

    chunk: results.PlannedChunk
    speech: tuple[messages.Span, ...]

    @property
    def start(self) -> float:
        """Of its first speech."""
        return self.speech[0].start

    @property
    def end(self) -> float:
        """Of its last speech."""
        return self.speech[-1].end

    @property
    def speech_seconds(self) -> float:
        """Without the silence."""
        return sum(span.end - span.start for span in self.speech)


def choose(
    chunks: Sequence[results.PlannedChunk], *, most_clips: int, clip_seconds: float
) -> tuple[Clip, ...]:
    """Up to `most_clips` places, evenly over the speech, each of at most `clip_seconds` of speech.

    In order, none twice. Fewer, and together all the speech, when there is little of it; none without any.
    """
    pieces = [piece for chunk in chunks for piece in _pieces(chunk, clip_seconds)]
    full = [piece for piece in pieces if piece.speech_seconds > clip_seconds * FULL_SHARE]
    if len(full) >= most_clips:
        pieces = full
    if len(pieces) <= most_clips:
        return tuple(pieces)
    # The middle of each of `most_clips` equal parts: beginning and end of a recording are often music.
    return tuple(pieces[int((place + 0.5) * len(pieces) / most_clips)] for place in range(most_clips))


def _pieces(chunk: results.PlannedChunk, clip_seconds: float) -> list[Clip]:
    """The chunk's speech as successive clips, all full but the last."""
    clips: list[Clip] = []
    waiting: list[messages.Span] = []
    room = clip_seconds
    for span in chunk.speech:
        start = span.start
        while span.end - start > room:
            waiting.append(messages.Span(start=start, end=start + room))
            clips.append(Clip(chunk=chunk, speech=tuple(waiting)))
            start, room, waiting = start + room, clip_seconds, []
        if span.end > start:
            waiting.append(messages.Span(start=start, end=span.end))
            room -= span.end - start
    if waiting:
        clips.append(Clip(chunk=chunk, speech=tuple(waiting)))
    return clips
