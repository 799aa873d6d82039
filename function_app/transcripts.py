"""Joins the transcripts of chunks into the transcript of a recording. Pure: values in, values out."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from contracts import languages, messages, params, results

NO_SPEECH: Final = "no speech was found"

_SLACK_SECONDS: Final = 0.5
"""Two models' times for one word differ by no more, where chunks overlap."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a transcript is made of. Every chunk of the plan is in `chunks` or in `failures`."""

    plan: results.ChunkPlan
    params: params.TranscribeParams
    chunks: Mapping[int, results.ChunkTranscript]
    failures: Mapping[int, results.RunError]
    language: str | None
    """As given or as identified; None takes the language of most of the speech."""
    language_confidence: float | None


def merge(parts: Parts) -> results.Transcript:
    """The whole recording in time order; what two chunks both heard stands in it once.

    Speech of failed chunks is in its coverage as gaps, so that speech = transcribed + gaps.
    """
    segments = _numbered(_segments(parts))
    language = parts.language or _language_of_most(segments)
    return results.Transcript(
        language=language,
        language_confidence=parts.language_confidence,
        duration_seconds=parts.plan.audio_seconds,
        text=languages.joiner(language).join(segment.text for segment in segments),
        segments=segments,
        coverage=_coverage(parts),
        engine=parts.params.engine,
        model=parts.params.model,
        revision=parts.params.revision,
        warnings=_warnings(parts),
    )


# Segments.


def _segments(parts: Parts) -> Iterator[tuple[int, results.Segment]]:
    """Channel and segment; chunks of a channel follow one another in time."""
    before: results.PlannedChunk | None = None
    kept: list[tuple[int, results.Segment]] = []
    for planned in sorted(parts.plan.chunks, key=lambda chunk: (chunk.channel, chunk.start)):
        chunk = parts.chunks.get(planned.index)
        if chunk is None:
            before = None
            continue
        fresh = [(planned.channel, segment) for segment in chunk.segments if segment.text.strip()]
        overlaps = planned.overlap_seconds > 0 and before is not None and before.channel == planned.channel
        if overlaps:
            kept, fresh = _without_doubles(kept, fresh, planned)
        kept += fresh
        before = planned
    yield from kept


_Segments = list[tuple[int, results.Segment]]


def _without_doubles(
    kept: _Segments, fresh: _Segments, planned: results.PlannedChunk
) -> tuple[_Segments, _Segments]:
    """What both chunks heard in the overlap, once: from the earlier up to the seam, then from the later."""
    window = messages.Span(
        start=max(planned.start - _SLACK_SECONDS, 0.0),
        end=planned.start + planned.overlap_seconds + _SLACK_SECONDS,
    )
    settled = _settled(kept, planned.channel, window.start)
    open_end = kept[settled:]
    old = [word for _, segment in open_end for word in _inside(segment, window)]
    new = [word for _, segment in fresh for word in _inside(segment, window)]
    middle = planned.start + planned.overlap_seconds / 2
    before, after = _seam(old, new) or (middle, middle)
    earlier = [
        (channel, cut) for channel, segment in open_end if (cut := _cut(segment, window, before=before))
    ]
    later = [(channel, cut) for channel, segment in fresh if (cut := _cut(segment, window, after=after))]
    return kept[:settled] + earlier, later


def _settled(kept: _Segments, channel: int, start: float) -> int:
    """How many of the segments no overlap that begins at `start` can touch."""
    count = len(kept)
    while count and kept[count - 1][0] == channel and kept[count - 1][1].end >= start:
        count -= 1
    return count


def _inside(segment: results.Segment, window: messages.Span) -> list[results.Word]:
    return [word for word in segment.words if window.start <= _middle(word) <= window.end]


def _seam(old: Sequence[results.Word], new: Sequence[results.Word]) -> tuple[float, float] | None:
    """Where the longest stretch that both wrote alike ends, in the earlier's times and in the later's."""
    matcher = difflib.SequenceMatcher(
        None, [_folded(word.text) for word in old], [_folded(word.text) for word in new], autojunk=False
    )
    match = matcher.find_longest_match()
    if match.size == 0:
        return None
    last_old = old[match.a + match.size - 1]
    last_new = new[match.b + match.size - 1]
    return _just_after(last_old), _just_after(last_new)


def _just_after(word: results.Word) -> float:
    return _middle(word) + 1e-6


def _folded(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _middle(timed: results.Word | results.Segment) -> float:
    return (timed.start + timed.end) / 2


def _cut(
    segment: results.Segment,
    window: messages.Span,
    *,
    before: float = float("inf"),
    after: float = float("-inf"),
) -> results.Segment | None:
    """The part of the segment on one side of the seam; None when nothing of it is left."""
    if segment.end < window.start or segment.start > window.end:
        return segment
    if not segment.words:
        return segment if after <= _middle(segment) < before else None
    words = [word for word in segment.words if after <= _middle(word) < before]
    if len(words) == len(segment.words):
        return segment
    return _with_words(segment, words) if words else None


def _with_words(segment: results.Segment, words: Sequence[results.Word]) -> results.Segment:
    first = segment.words.index(words[0])
    offsets = word_offsets(segment.text, segment.words)
    end = offsets[first + len(words)] if first + len(words) < len(offsets) else len(segment.text)
    text = segment.text[offsets[first] : end].strip()
    changes = {"start": words[0].start, "end": words[-1].end, "text": text, "words": tuple(words)}
    return segment.model_copy(update=changes)


def word_offsets(text: str, words: Sequence[results.Word]) -> list[int]:
    """Where in the text each word begins. What stands between two words belongs to the first of them.

    A word that is not found in the text begins where the one before it ends.
    """
    offsets, position = [], 0
    for word in words:
        found = text.find(word.text, position)
        start = position if found < 0 else found
        offsets.append(start)
        position = start if found < 0 else start + len(word.text)
    return offsets


def _numbered(segments: Iterable[tuple[int, results.Segment]]) -> tuple[results.TranscriptSegment, ...]:
    ordered = sorted(segments, key=lambda item: (item[1].start, item[0]))
    return tuple(
        results.TranscriptSegment(
            **{**dict(segment), "text": segment.text.strip()}, id=number, channel=channel
        )
        for number, (channel, segment) in enumerate(ordered)
    )


def _language_of_most(segments: Sequence[results.TranscriptSegment]) -> str:
    seconds: dict[str, float] = {}
    for segment in segments:
        seconds[segment.language] = seconds.get(segment.language, 0.0) + segment.end - segment.start
    return max(seconds, key=lambda language: seconds[language], default=languages.UNDETERMINED)


# Coverage.


def _coverage(parts: Parts) -> results.Coverage:
    speech_seconds, gaps = 0.0, []
    for planned in parts.plan.chunks:
        own = _owned(planned, parts)
        speech = [span for span in map(own.clip, planned.speech) if span]
        speech_seconds += sum(span.end - span.start for span in speech)
        gaps += _gaps(planned, parts, own, speech)
    gap_seconds = min(sum(gap.end - gap.start for gap in gaps), speech_seconds)
    return results.Coverage(
        speech_seconds=round(speech_seconds, 3),
        transcribed_seconds=round(speech_seconds, 3) - round(gap_seconds, 3),
        gap_seconds=round(gap_seconds, 3),
        gaps=tuple(sorted(gaps, key=lambda gap: gap.start)),
    )


@dataclass(frozen=True, kw_only=True)
class _Own:
    """The stretch of its channel that a chunk answers for: an overlap belongs to one of its two chunks."""

    start: float
    end: float

    def clip(self, span: messages.Span | results.Gap) -> messages.Span | None:
        start, end = max(span.start, self.start), min(span.end, self.end)
        return messages.Span(start=start, end=end) if end > start else None


def _owned(planned: results.PlannedChunk, parts: Parts) -> _Own:
    """An overlap is the later chunk's, unless only the earlier one has a transcript."""
    index, chunks = planned.index, parts.plan.chunks
    following = next(
        (other for other in chunks if other.index == index + 1 and other.channel == planned.channel), None
    )
    start, end = planned.start, planned.end
    if index in parts.failures and index - 1 in parts.chunks:
        start += planned.overlap_seconds
    if following and not (following.index in parts.failures and index in parts.chunks):
        end -= following.overlap_seconds
    return _Own(start=start, end=end)


def _gaps(
    planned: results.PlannedChunk, parts: Parts, own: _Own, speech: Sequence[messages.Span]
) -> list[results.Gap]:
    failure = parts.failures.get(planned.index)
    if failure:
        reason = results.GapReason.CHUNK_FAILED
        return [
            results.Gap(start=span.start, end=span.end, reason=reason, detail=failure.message)
            for span in speech
        ]
    return [
        gap.model_copy(update={"start": span.start, "end": span.end})
        for gap in parts.chunks[planned.index].gaps
        if (span := own.clip(gap))
    ]


# Warnings.


def _warnings(parts: Parts) -> tuple[str, ...]:
    found = list(parts.plan.warnings)
    if not parts.plan.chunks and NO_SPEECH not in found:
        found.append(NO_SPEECH)
    for index in sorted(parts.chunks):
        found += parts.chunks[index].warnings
    if parts.failures:
        found.append(f"{len(parts.failures)} of {len(parts.plan.chunks)} chunks could not be transcribed")
    return tuple(dict.fromkeys(found))
