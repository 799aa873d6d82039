"""Subtitles: cues of at most two lines, cut between words, in SubRip (SRT) and WebVTT.

Line lengths and durations follow common broadcast practice (BBC and Netflix guidelines): 42 characters a
line, 16 where characters are wide, and cues of 1 to 7 seconds.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from contracts import results
from function_app import transcripts

LINE_CHARACTERS: Final = 42
WIDE_LINE_CHARACTERS: Final = 16
SHORTEST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 7.0
PAUSE_SECONDS: Final = 1.5
"""A silence that a cue does not stay over."""
_TICK_SECONDS: Final = 0.001


@dataclass(frozen=True, kw_only=True)
class Cue:
    """One subtitle."""

    start: float
    end: float
    lines: tuple[str, ...]
    channel: int = 0


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """What is never cut: a word with what follows it up to the next."""

    start: float
    end: float
    text: str


def of_transcript(segments: Sequence[results.TranscriptSegment]) -> tuple[Cue, ...]:
    """Cues by the words' own times."""
    return _in_order(cue for segment in segments for cue in _cues(_pieces(segment), segment.channel))


def of_translation(segments: Sequence[results.TranslatedSegment]) -> tuple[Cue, ...]:
    """Cues whose times are shared out by length, as a translation has no word times."""
    return _in_order(
        cue for segment in segments for cue in _cues(_shared_out(segment.text, segment.start, segment.end), 0)
    )


def srt(cues: Sequence[Cue]) -> str:
    """SubRip. No cues give an empty file, which players take as no subtitles."""
    blocks = [
        f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{_srt_text(cue)}\n"
        for number, cue in enumerate(cues, start=1)
    ]
    return "\n".join(blocks)


def vtt(cues: Sequence[Cue]) -> str:
    """WebVTT, https://www.w3.org/TR/webvtt1/. No cues give the header alone, which is valid."""
    blocks = [f"{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{_vtt_text(cue)}\n" for cue in cues]
    return "\n".join(["WEBVTT\n", *blocks])


# Pieces.


def _pieces(segment: results.TranscriptSegment) -> list[_Piece]:
    if not segment.words:
        return _shared_out(segment.text, segment.start, segment.end)
    offsets = [*transcripts.word_offsets(segment.text, segment.words), len(segment.text)]
    offsets[0] = 0
    return [
        _Piece(
            start=word.start, end=max(word.end, word.start), text=segment.text[offsets[i] : offsets[i + 1]]
        )
        for i, word in enumerate(segment.words)
    ]


_UNSPACED: Final = re.compile(r"\s*\S+\s*")


def _shared_out(text: str, start: float, end: float) -> list[_Piece]:
    """Words, or characters where they are wide, with times in proportion to their lengths."""
    texts = [
        piece
        for word in _UNSPACED.findall(text)
        for piece in (_characters(word) if _is_wide(word) else [word])
    ]
    total = sum(map(len, texts)) or 1
    pieces, position = [], 0
    for piece in texts:
        begin = start + (end - start) * position / total
        position += len(piece)
        pieces.append(_Piece(start=begin, end=start + (end - start) * position / total, text=piece))
    return pieces


def _characters(word: str) -> list[str]:
    """Wide characters one by one; punctuation, digits and Latin letters stay with what is before them."""
    pieces: list[str] = []
    for character in word:
        if not pieces or (_is_wide_character(character) and character.isalpha()):
            pieces.append(character)
        else:
            pieces[-1] += character
    return pieces


def _is_wide_character(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def _is_wide(text: str) -> bool:
    letters = [character for character in text if not character.isspace()]
    return sum(map(_is_wide_character, letters)) * 2 > len(letters)


# Cues.


def _cues(pieces: Sequence[_Piece], channel: int) -> Iterator[Cue]:
    """As few as there may be, and of about the same length: no last word stands alone."""
    text = "".join(piece.text for piece in pieces)
    width = WIDE_LINE_CHARACTERS if _is_wide(text) else LINE_CHARACTERS
    full = _groups(pieces, width)
    even = _groups(pieces, width, characters=len(text) / len(full)) if len(full) > 1 else full
    for group in even if len(even) == len(full) else full:
        yield _cue(group, width, channel)


def _groups(pieces: Sequence[_Piece], width: int, *, characters: float = float("inf")) -> list[list[_Piece]]:
    """Filled one after another as full as a cue may be, or up to about `characters`."""
    groups: list[list[_Piece]] = []
    length = 0.0
    for piece in pieces:
        is_full = length + len(piece.text) / 2 > characters
        if not groups or is_full or not _may_join(groups[-1], piece, width):
            groups.append([])
            length = 0.0
        groups[-1].append(piece)
        length += len(piece.text)
    return groups


def _may_join(group: Sequence[_Piece], piece: _Piece, width: int) -> bool:
    if piece.end - group[0].start > LONGEST_SECONDS or piece.start - group[-1].end > PAUSE_SECONDS:
        return False
    return _lines([*group, piece], width) is not None


def _cue(group: Sequence[_Piece], width: int, channel: int) -> Cue:
    lines = _lines(group, width) or ("".join(piece.text for piece in group).strip(),)
    end = min(group[-1].end, group[0].start + LONGEST_SECONDS)
    return Cue(start=group[0].start, end=end, lines=lines, channel=channel)


def _lines(group: Sequence[_Piece], width: int) -> tuple[str, ...] | None:
    """One line, or two of nearly equal length; None when it does not fit."""
    whole = "".join(piece.text for piece in group).strip()
    if len(whole) <= width:
        return (whole,)
    splits = (
        (
            "".join(piece.text for piece in group[:i]).strip(),
            "".join(piece.text for piece in group[i:]).strip(),
        )
        for i in range(1, len(group))
    )
    best = min(splits, key=lambda lines: max(map(len, lines)), default=None)
    return best if best and max(map(len, best)) <= width else None


def _in_order(cues: Iterable[Cue]) -> tuple[Cue, ...]:
    """By start; cues of one channel follow one another, and short ones stay longer where there is room."""
    by_channel: dict[int, list[Cue]] = {}
    for cue in sorted(cues, key=lambda cue: cue.start):
        if any(cue.lines):
            _append(by_channel.setdefault(cue.channel, []), cue)
    timed = [cue for channel in by_channel.values() for cue in channel]
    return tuple(sorted(timed, key=lambda cue: (cue.start, cue.channel)))


def _append(channel: list[Cue], cue: Cue) -> None:
    """Adds the channel's next cue, and ends the one before it in time."""
    if channel:
        before = channel[-1]
        if cue.start - before.start < SHORTEST_SECONDS and _fit_together(before, cue):
            channel[-1] = replace(
                before, end=_long_enough(before.start, cue.end), lines=before.lines + cue.lines
            )
            return
        cue = replace(cue, start=max(cue.start, before.start + _TICK_SECONDS))
        channel[-1] = replace(before, end=min(before.end, cue.start))
    channel.append(replace(cue, end=_long_enough(cue.start, cue.end)))


def _fit_together(before: Cue, cue: Cue) -> bool:
    return len(before.lines) == len(cue.lines) == 1 and cue.end - before.start <= LONGEST_SECONDS


def _long_enough(start: float, end: float) -> float:
    return max(end, start + SHORTEST_SECONDS)


# Text.


def _time(seconds: float, separator: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds // 1000:02d}{separator}{milliseconds % 1000:03d}"


def _srt_text(cue: Cue) -> str:
    return "\n".join(line.replace("-->", "→") for line in cue.lines)


def _vtt_text(cue: Cue) -> str:
    return "\n".join(
        line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for line in cue.lines
    )
