"""Small recordings for tests, in one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contracts import blobs, messages, params, results
from contracts.errors import ErrorCode
from function_app import transcripts

ASKED = params.TranscribeParams(engine=params.TranscriptionEngine.WHISPER, model="tiny", revision="1")
BROKEN = results.RunError(code=ErrorCode.CORRUPT_AUDIO, message="Broken.")


def words(text: str, start: float, *, seconds: float = 0.5) -> tuple[results.Word, ...]:
    """One word after another, each `seconds` long."""
    return tuple(
        results.Word(start=start + i * seconds, end=start + (i + 1) * seconds, text=word, confidence=0.9)
        for i, word in enumerate(text.split())
    )


def segment(text: str, start: float, *, language: str = "en", timed: bool = True) -> results.Segment:
    found = words(text, start)
    return results.Segment(
        start=start,
        end=found[-1].end,
        text=text,
        confidence=0.9,
        language=language,
        words=found if timed else (),
    )


def planned(
    index: int, start: float, end: float, *, channel: int = 0, overlap: float = 0.0
) -> results.PlannedChunk:
    """A chunk that is speech from end to end."""
    return results.PlannedChunk(
        index=index,
        channel=channel,
        start=start,
        end=end,
        overlap_seconds=overlap,
        speech=(messages.Span(start=start, end=end),),
        audio=blobs.BlobReference(container=blobs.Container.WORK, path=f"{index}"),
    )


def plan(*chunks: results.PlannedChunk, warnings: tuple[str, ...] = ()) -> results.ChunkPlan:
    return results.ChunkPlan(
        source=results.SourceFacts(
            content_hash="sha256:" + "0" * 64,
            size_bytes=1,
            container_format="flac",
            audio_codec="flac",
            sample_rate_hz=16000,
            channels=1,
            audio_tracks=1,
        ),
        audio_seconds=max((chunk.end for chunk in chunks), default=5.0),
        speech_seconds=sum(chunk.end - chunk.start for chunk in chunks),
        chunks=chunks,
        warnings=warnings,
    )


def chunk_transcript(
    chunk: results.PlannedChunk,
    *segments: results.Segment,
    gaps: Sequence[results.Gap] = (),
    warnings: tuple[str, ...] = (),
) -> results.ChunkTranscript:
    return results.ChunkTranscript(
        chunk=chunk.index,
        channel=chunk.channel,
        start=chunk.start,
        end=chunk.end,
        language="en",
        segments=segments,
        speech_seconds=chunk.end - chunk.start,
        gaps=tuple(gaps),
        engine="whisper",
        model="tiny",
        revision="1",
        warnings=warnings,
    )


def merged(
    the_plan: results.ChunkPlan,
    *chunks: results.ChunkTranscript,
    failures: Mapping[int, results.RunError] | None = None,
    language: str | None = "en",
) -> results.Transcript:
    return transcripts.merge(
        transcripts.Parts(
            plan=the_plan,
            params=ASKED,
            chunks={chunk.chunk: chunk for chunk in chunks},
            failures=failures or {},
            language=language,
            language_confidence=None,
        )
    )
