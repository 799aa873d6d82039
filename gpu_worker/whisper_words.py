"""Words with times: faster-whisper's alignment, its words dealt out to the segments that they belong to."""

from collections.abc import Sequence
from typing import Any, Final

from faster_whisper.transcribe import merge_punctuations

from gpu_worker.engines import SpokenWord
from gpu_worker.whisper_tokens import TokenSegment

_FRAMES_PER_SECOND: Final = 100
_BEFORE: Final = "\"'“¿([{-"
_AFTER: Final = "\"'.。,，!！?？:：”)]}、"  # noqa: RUF001 - full-width marks are meant


def align(
    model: Any, tokenizer: Any, encoded: Any, rows: Sequence[Sequence[TokenSegment]], seconds: Sequence[float]
) -> list[list[tuple[SpokenWord, ...]]]:
    """For each row the words of each of its segments, in order.

    `encoded` is the encoder's output for the rows, all in the tokenizer's language.
    """
    tokens = [[token for segment in row for token in segment.tokens] for row in rows]
    frames = [max(1, round(length * _FRAMES_PER_SECOND)) for length in seconds]
    # Not add_word_timestamps, which wraps this: it carries the end of one row over to the next, so that
    # a window's words would depend on its neighbours in the batch.
    alignments = model.find_alignment(tokenizer, tokens, encoded, frames)
    return [
        _dealt(alignment, row, length)
        for alignment, row, length in zip(alignments, rows, seconds, strict=True)
    ]


def _dealt(
    alignment: list[dict[str, Any]], row: Sequence[TokenSegment], seconds: float
) -> list[tuple[SpokenWord, ...]]:
    """Each word goes to the segment that holds its first token."""
    merge_punctuations(alignment, _BEFORE, _AFTER)
    words: list[list[SpokenWord]] = [[] for _ in row]
    segment, last_token, seen = 0, 0, 0
    if row:
        last_token = len(row[0].tokens)
    for entry in alignment:
        while seen >= last_token and segment + 1 < len(row):
            segment += 1
            last_token += len(row[segment].tokens)
        seen += len(entry["tokens"])
        if text := entry["word"].strip():
            words[segment].append(_word(entry, text, seconds))
    return [tuple(group) for group in words]


def _word(entry: dict[str, Any], text: str, seconds: float) -> SpokenWord:
    start = min(max(0.0, float(entry["start"])), seconds)
    return SpokenWord(
        start=start,
        end=min(max(start, float(entry["end"])), seconds),
        text=text,
        confidence=min(1.0, max(0.0, float(entry["probability"]))),
    )
