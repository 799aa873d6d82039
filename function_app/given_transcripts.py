"""Transcripts that people give instead of a recording, in the form that recordings' transcripts have."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from contracts import api, languages, results

ENGINE: Final = "given"

LONGEST_PIECE_CHARACTERS: Final = 1000
"""A line of plain text that is longer is cut between its sentences."""

_SENTENCE_END: Final = re.compile(r"(?<=[.!?\u2026\u061f])\s+|(?<=[\u3002\uff01\uff1f])\s*")


def of_text(text: str, *, language: str) -> results.Transcript:
    """One segment for each line, without times: all of them are zero."""
    pieces = [piece for line in text.splitlines() for piece in _pieces(line.strip(), language)]
    lines = [api.TranscriptLine(start=0.0, end=0.0, text=piece) for piece in pieces]
    return _transcript(lines, text="\n".join(pieces), language=language)


def of_segments(lines: Sequence[api.TranscriptLine], *, language: str) -> results.Transcript:
    """The segments as they were given; those without words are left out."""
    kept = [line.model_copy(update={"text": line.text.strip()}) for line in lines if line.text.strip()]
    text = languages.joiner(language).join(line.text for line in kept)
    return _transcript(kept, text=text, language=language)


def is_timed(segments: Sequence[results.TranscriptSegment] | Sequence[results.TranslatedSegment]) -> bool:
    """False for the segments of a plain text: subtitles cannot be made of them."""
    return not segments or any(segment.end > 0 for segment in segments)


def _transcript(lines: Iterable[api.TranscriptLine], *, text: str, language: str) -> results.Transcript:
    segments = tuple(
        results.TranscriptSegment(
            id=number, start=line.start, end=line.end, text=line.text, confidence=1.0, language=language
        )
        for number, line in enumerate(lines)
    )
    speech_seconds = sum(segment.end - segment.start for segment in segments)
    return results.Transcript(
        language=language,
        duration_seconds=max((segment.end for segment in segments), default=0.0),
        text=text,
        segments=segments,
        coverage=results.Coverage(
            speech_seconds=speech_seconds, transcribed_seconds=speech_seconds, gap_seconds=0.0
        ),
        engine=ENGINE,
        model="",
        revision="",
    )


def _pieces(line: str, language: str) -> list[str]:
    if len(line) <= LONGEST_PIECE_CHARACTERS:
        return [line] if line else []
    joiner = languages.joiner(language)
    pieces = [""]
    for sentence in _SENTENCE_END.split(line):
        joined = f"{pieces[-1]}{joiner}{sentence}" if pieces[-1] else sentence
        if pieces[-1] and len(joined) > LONGEST_PIECE_CHARACTERS:
            pieces.append(sentence)
        else:
            pieces[-1] = joined
    return [piece for piece in pieces if piece]
