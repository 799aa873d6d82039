"""Texts cut where it hurts least: after a sentence, else between words, else between characters."""

import re
import unicodedata
from typing import Final

_SENTENCE_END: Final = re.compile(r"(?<=[.!?\u2026\u061f])\s+|(?<=[\u3002\uff01\uff1f])\s*")
_SPACE: Final = re.compile(r"\s+")

SHORTEST_HALVED: Final = 200
"""Characters; what is shorter is not cut in two: it is not its length that does not fit."""


def cut(text: str, longest: int) -> list[str]:
    """Pieces of at most `longest` characters, in order, none of them blank."""
    pieces, rest = [], text.strip()
    while len(rest) > longest:
        end = _boundary(rest, longest)
        pieces.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*pieces, rest] if rest else pieces


def in_two(text: str) -> tuple[str, ...]:
    """Two pieces of about the same length; none when the text is short."""
    if len(text) < SHORTEST_HALVED:
        return ()
    end = _boundary(text, len(text) * 3 // 4)
    return text[:end].rstrip(), text[end:].lstrip()


def _boundary(text: str, longest: int) -> int:
    """The last good place of the second half of what may be taken."""
    for places in (_SENTENCE_END, _SPACE):
        found = [match.end() for match in places.finditer(text, longest // 2, longest)]
        if found:
            return found[-1]
    return next((i for i in range(longest, longest // 2, -1) if not _is_mark(text[i])), longest)


def _is_mark(character: str) -> bool:
    """Vowel signs, tones and accents belong to the letter before them."""
    return unicodedata.category(character).startswith("M")
