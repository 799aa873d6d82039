"""What a worker answers."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from contracts.blobs import BlobReference
from contracts.contract import SCHEMA_VERSION, Contract, SchemaVersion
from contracts.errors import ErrorCode
from contracts.messages import ReplyTo
from contracts.steps import Step, StepStatus


class PrepareFacts(Contract):
    """What the flow needs to know of a chunk plan."""

    step: Literal[Step.PREPARE] = Step.PREPARE
    source_content_hash: str
    audio_seconds: float
    speech_seconds: float
    chunk_count: int
    """0 when there is no speech: the job completes with an empty transcript."""


class LidFacts(Contract):
    """What the flow needs to know of a language result."""

    step: Literal[Step.LID] = Step.LID
    language: str
    """BCP-47."""
    confidence: float


class TranscribeFacts(Contract):
    """What the flow needs to know of a chunk's transcript."""

    step: Literal[Step.TRANSCRIBE] = Step.TRANSCRIBE
    audio_seconds: float
    """The chunk's length: what progress counts."""
    segment_count: int
    gap_seconds: float
    """Speech that gave no text."""


StepFacts = Annotated[PrepareFacts | LidFacts | TranscribeFacts, Field(discriminator="step")]


class Completed(Contract):
    """The result lies in its blob."""

    status: Literal[StepStatus.COMPLETED] = StepStatus.COMPLETED
    result: BlobReference
    facts: StepFacts
    reused: bool = False
    """The result was there already: no work was done for this attempt."""


class Failed(Contract):
    """No result; whether another attempt may help, and a sentence for people."""

    status: Literal[StepStatus.FAILED] = StepStatus.FAILED
    code: ErrorCode
    message: str
    """What happened and what to do; never transcript text, SAS tokens or keys."""
    retryable: bool


class Cancelled(Contract):
    """The worker saw the run's cancel marker."""

    status: Literal[StepStatus.CANCELLED] = StepStatus.CANCELLED


Outcome = Annotated[Completed | Failed | Cancelled, Field(discriminator="status")]


class Usage(Contract):
    """What an attempt used."""

    queue_wait_seconds: float = 0.0
    run_seconds: float = 0.0
    audio_seconds: float = 0.0
    gpu_seconds: float = 0.0
    cpu_seconds: float = 0.0
    engine: str = ""
    model: str = ""
    worker_id: str = ""


class StepFinished(Contract):
    """The end of one attempt. May come more than once; receivers keep the first."""

    schema_version: SchemaVersion = SCHEMA_VERSION
    tenant_id: str
    job_id: str
    run: int
    step: Step
    chunk: int | None = None
    attempt: int
    reply_to: ReplyTo
    outcome: Outcome
    usage: Usage = Usage()
    finished_at: datetime
    traceparent: str | None = None
