"""What steps leave behind, and what people get. Times are seconds from the start of the recording."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from contracts.blobs import BlobReference
from contracts.contract import SCHEMA_VERSION, Contract, SchemaVersion
from contracts.errors import ErrorCode
from contracts.jobs import JobStatus, Workflow
from contracts.messages import Span
from contracts.steps import Step

Confidence = Annotated[float, Field(ge=0, le=1)]


class SourceFacts(Contract):
    """What `prepare` found in the file."""

    content_hash: str
    size_bytes: int
    container_format: str
    audio_codec: str
    sample_rate_hz: int
    channels: int
    audio_tracks: int
    has_video: bool = False


class PlannedChunk(Contract):
    """A piece of one channel, cut at silences; the unit of GPU work."""

    index: Annotated[int, Field(ge=0)]
    channel: Annotated[int, Field(ge=0)] = 0
    start: float
    end: float
    overlap_seconds: float = 0.0
    """How much of its start repeats the end of the chunk before it; 0 where the cut lies in silence."""
    speech: tuple[Span, ...]
    audio: BlobReference
    """16 kHz, one channel, FLAC."""


class ChunkPlan(Contract):
    """The result of `prepare`."""

    schema_version: SchemaVersion = SCHEMA_VERSION
    step: Literal[Step.PREPARE] = Step.PREPARE
    source: SourceFacts
    audio_seconds: float
    speech_seconds: float
    chunks: tuple[PlannedChunk, ...]
    """In order of channel, then time; indices count from 0 without gaps."""
    warnings: tuple[str, ...] = ()


class LanguageVote(Contract):
    """What one place in the recording said."""

    start: float
    end: float
    language: str
    confidence: Confidence


class LanguageResult(Contract):
    """The result of `lid`."""

    schema_version: SchemaVersion = SCHEMA_VERSION
    step: Literal[Step.LID] = Step.LID
    language: str
    """BCP-47."""
    confidence: Confidence
    votes: tuple[LanguageVote, ...]
    engine: str
    model: str
    revision: str
    warnings: tuple[str, ...] = ()


class Word(Contract):
    """A word as it is written, without the space before it."""

    start: float
    end: float
    text: str
    confidence: Confidence


class Segment(Contract):
    """A stretch of speech, mostly a sentence."""

    start: float
    end: float
    text: str
    confidence: Confidence
    language: str
    """BCP-47."""
    words: tuple[Word, ...] = ()
    """Empty when word times were not asked for."""


class GapReason(StrEnum):
    """Why speech has no text."""

    CHUNK_FAILED = "chunk_failed"
    NO_TEXT = "no_text"
    """The model heard nothing to write."""
    REJECTED = "rejected"
    """The model wrote something over what it took for silence; it was not believed."""


class Gap(Contract):
    """Speech without text."""

    start: float
    end: float
    reason: GapReason
    detail: str = ""


class ChunkTranscript(Contract):
    """The result of `transcribe` for one chunk. Every span of speech is in a segment or in a gap."""

    schema_version: SchemaVersion = SCHEMA_VERSION
    step: Literal[Step.TRANSCRIBE] = Step.TRANSCRIBE
    chunk: int
    channel: int = 0
    start: float
    end: float
    language: str
    """BCP-47; of most of its speech when it was detected."""
    segments: tuple[Segment, ...]
    speech_seconds: float
    gaps: tuple[Gap, ...] = ()
    engine: str
    model: str
    revision: str
    warnings: tuple[str, ...] = ()


class Coverage(Contract):
    """What became of the speech: transcribed_seconds + gap_seconds = speech_seconds."""

    speech_seconds: float
    transcribed_seconds: float
    gap_seconds: float
    gaps: tuple[Gap, ...] = ()


class TranscriptSegment(Segment):
    """A segment of the whole transcript, under a number that translations and summaries refer to."""

    id: Annotated[int, Field(ge=0)]
    channel: int = 0


class Transcript(Contract):
    """The whole recording's text: the file transcript.json."""

    schema_version: SchemaVersion = SCHEMA_VERSION
    language: str
    language_confidence: Confidence | None = None
    """None when the caller gave the language."""
    duration_seconds: float
    text: str
    segments: tuple[TranscriptSegment, ...]
    coverage: Coverage
    engine: str
    model: str
    revision: str
    warnings: tuple[str, ...] = ()


class TranslatedSegment(Contract):
    """A segment in the other language, with the id and the times of its source."""

    id: int
    start: float
    end: float
    text: str


class Translation(Contract):
    """The result of `translate`."""

    schema_version: SchemaVersion = SCHEMA_VERSION
    step: Literal[Step.TRANSLATE] = Step.TRANSLATE
    source_language: str
    language: str
    text: str
    segments: tuple[TranslatedSegment, ...]
    engine: str
    model: str
    warnings: tuple[str, ...] = ()


class Summary(Contract):
    """The result of `summarize`."""

    schema_version: SchemaVersion = SCHEMA_VERSION
    step: Literal[Step.SUMMARIZE] = Step.SUMMARIZE
    language: str
    text: str
    key_points: tuple[str, ...] = ()
    engine: str
    model: str
    warnings: tuple[str, ...] = ()


class RunError(Contract):
    """Why a run, or a step of it, did not succeed."""

    step: Step | None = None
    code: ErrorCode
    message: str


class RunManifest(Contract):
    """What a run used and what it left: keys by step, file names to paths in `results`."""

    schema_version: SchemaVersion = SCHEMA_VERSION
    job_id: str
    run: int
    workflow: Workflow
    status: JobStatus
    keys: dict[Step, tuple[str, ...]]
    """Result keys in the order of chunks; one for a step without chunks."""
    files: dict[str, str]
    errors: tuple[RunError, ...] = ()
    warnings: tuple[str, ...] = ()
