"""What one run of a job is told when it starts, and what its steps pass to each other.

Everything that the flow depends on is in here, so that replaying an old history takes the same way although
settings have changed since. Fields are only ever added, with a default: instances that run across an upgrade
carry the input of the day they began.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from contracts import blobs, events, jobs, messages, params, queues, results, steps

PIPELINE: Final = "speech_pipeline"
"""The orchestrator that is one run of a job."""


class Facts(BaseModel):
    """The base of what stays inside the function app: frozen, and patient with fields of a later version."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class Limits(Facts):
    """How long the flow waits and how often it tries."""

    lanes: Annotated[int, Field(ge=1)] = 16
    attempts: Annotated[int, Field(ge=1)] = 3
    """Of a step or chunk, the first one included."""
    retry_first_delay_seconds: float = 5.0
    """Before the second attempt; doubled before each further one, up to `retry_longest_delay_seconds`."""
    retry_longest_delay_seconds: float = 300.0
    timeout_seconds: dict[steps.Step, float] = dict.fromkeys(queues.QUEUE_OF_STEP, 1800.0)
    """Of a worker step's message: waiting in the queue and working together."""
    wait_margin_seconds: float = 60.0
    activity_retry_seconds: float = 5.0
    """Between the attempts of an activity whose store, storage or queue is away."""
    activity_attempts: Annotated[int, Field(ge=1)] = 36
    rate_limit_waits: Annotated[int, Field(ge=0)] = 30
    """How often one step waits because the language model is over its quota."""
    rate_limit_longest_wait_seconds: float = 600.0


class LanguageModelChoice(Facts):
    """What does a language step."""

    engine: params.LanguageModelEngine
    model: str
    prompt_revision: str


class RunInput(Facts):
    """The input of `speech_pipeline`."""

    schema_version: int = 1
    job_id: str
    run: Annotated[int, Field(ge=1)]
    tenant_id: str
    workflow: jobs.Workflow
    priority: jobs.Priority = jobs.Priority.NORMAL
    source: blobs.BlobReference
    """The upload, pinned by its ETag; of a workflow that begins with a text, the transcript."""
    source_language: str | None = None
    target_language: str = "en"
    glossary: dict[str, str] = {}
    limits: Limits = Limits()
    prepare: params.PrepareParams
    lid: params.LidParams
    transcribe: params.TranscribeParams
    """Its language is filled in when it is known."""
    translate: LanguageModelChoice | None = None
    """None where no language model is configured: the step is skipped."""
    summarize: LanguageModelChoice
    traceparent: str | None = None


class RunIdentity(Facts):
    """Which run of which job, and whose."""

    tenant_id: str
    job_id: str
    run: int


class LaneInput(Facts):
    """The input of `transcribe_lane`: chunks `lane`, `lane + lanes`, … of the plan."""

    start: RunInput
    """What the run began with."""
    plan: blobs.BlobReference
    chunk_count: int
    lane: int
    lanes: int
    language: str | None


class StepCall(Facts):
    """One attempt of a worker step: what `dispatch_step` and `reconcile_step` need to know."""

    identity: RunIdentity
    step: steps.Step
    chunk: int | None = None
    attempt: int
    priority: jobs.Priority = jobs.Priority.NORMAL
    source: blobs.BlobReference | None = None
    """The upload: for `prepare`."""
    plan: blobs.BlobReference | None = None
    """The chunk plan: for `lid` and `transcribe`."""
    params: params.StepParams
    reply_to: messages.ReplyTo
    expires_at: datetime
    traceparent: str | None = None


class TranscriptionStart(Facts):
    """What `begin_transcription` needs to know."""

    identity: RunIdentity
    plan: blobs.BlobReference
    engine: params.TranscriptionEngine
    language: str | None


class StepReport(Facts):
    """The end of a step, for the job store; with what it found out about the recording."""

    identity: RunIdentity
    step: steps.Step
    attempt: int = 1
    status: steps.StepStatus
    error: results.RunError | None = None
    usage: events.Usage = events.Usage()
    language: str | None = None
    language_confidence: float | None = None
    duration_seconds: float | None = None


class ChunkReport(Facts):
    """The end of one chunk, for the job store."""

    identity: RunIdentity
    chunk: int
    attempt: int = 1
    status: steps.StepStatus
    audio_seconds: float = 0.0
    error: results.RunError | None = None
    usage: events.Usage = events.Usage()


class SkipReason(StrEnum):
    """Why a step of the workflow is not done; people read the sentence in activities/skips.py."""

    LANGUAGE_GIVEN = "language_given"
    SAME_LANGUAGE = "same_language"
    NO_LANGUAGE_MODEL = "no_language_model"
    NO_SPEECH = "no_speech"
    STEP_FAILED = "step_failed"
    """A step that this one needs has failed."""


class StepSkip(Facts):
    """A step that is not done, and why."""

    identity: RunIdentity
    step: steps.Step
    reason: SkipReason
    language: str | None = None
    """The recording's, where the sentence names it."""
    failed_step: steps.Step | None = None


class TranscriptCall(Facts):
    """What `merge_transcript` needs to know."""

    identity: RunIdentity
    plan: blobs.BlobReference
    params: params.TranscribeParams
    """As the chunks were asked for: their result keys are made from it."""
    language: str | None
    """As given or as identified; None lets the segments tell."""
    language_confidence: float | None = None
    failures: dict[int, results.RunError] = {}
    """Chunks that failed for good."""


class GivenTranscriptCall(Facts):
    """What `take_transcript` needs to know."""

    identity: RunIdentity
    source: blobs.BlobReference


class LanguageModelCall(Facts):
    """What `translate` and `summarize` need to know."""

    identity: RunIdentity
    step: steps.Step
    choice: LanguageModelChoice
    transcript: blobs.BlobReference
    source_language: str
    target_language: str
    glossary: dict[str, str] = {}


class RunEndCall(Facts):
    """What `finish_run` needs to know."""

    identity: RunIdentity
    workflow: jobs.Workflow
    status: jobs.JobStatus
    plan: blobs.BlobReference | None = None
    transcribe: params.TranscribeParams | None = None
    """Set when chunks were transcribed; with the plan it gives their keys."""
    failed_chunks: tuple[int, ...] = ()
    """They have no result."""
    keys: dict[steps.Step, str] = {}
    """Of the steps without chunks."""
    files: dict[str, str] = {}
    language: str | None = None
    language_confidence: float | None = None
    duration_seconds: float | None = None
    error: results.RunError | None = None
    """What ended the run."""
    errors: tuple[results.RunError, ...] = ()
    """All that went wrong, what ended it included."""
    warnings: tuple[str, ...] = ()


def identity_of(start: RunInput) -> RunIdentity:
    """The run that the input belongs to."""
    return RunIdentity(tenant_id=start.tenant_id, job_id=start.job_id, run=start.run)
