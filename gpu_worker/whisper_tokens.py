"""Whisper's tokens as timed pieces of text. Pure.

With timestamps the model writes `<|0.40|> text <|1.68|><|2.22|> text …`; the last end may be missing when
the window cuts a sentence off (https://arxiv.org/abs/2212.04356, section 2.3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

TIMESTAMP_SECONDS: Final = 0.02


@dataclass(frozen=True, kw_only=True)
class TokenSegment:
    """Text tokens with their interval in seconds from the start of the window."""

    start: float
    end: float
    tokens: tuple[int, ...]


def segments_of(
    tokens: Sequence[int], *, end_of_text: int, first_timestamp: int, seconds: float
) -> list[TokenSegment]:
    """The pieces between timestamps, in order; `seconds` is the window's length and bounds all times.

    Ids below `end_of_text` are text, ids from `first_timestamp` on are times, others are ignored.
    """
    segments: list[TokenSegment] = []
    text: list[int] = []
    start = 0.0
    for token in tokens:
        if token < end_of_text:
            text.append(token)
        elif token >= first_timestamp:
            time = min((token - first_timestamp) * TIMESTAMP_SECONDS, seconds)
            if text:
                segments.append(TokenSegment(start=start, end=max(time, start), tokens=tuple(text)))
                text = []
            start = max(time, start)
    if text:
        segments.append(TokenSegment(start=start, end=seconds, tokens=tuple(text)))
    return segments
