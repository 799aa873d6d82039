"""The HTTP API's values, for the function app that answers and the client that asks."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from contracts.contract import Contract
from contracts.errors import ErrorCode, ProblemCode
from contracts.jobs import JobStatus, Priority, Workflow
from contracts.results import Summary, Transcript, Translation
from contracts.steps import Step, StepStatus

Glossary = dict[str, str]
"""Words of the recording to what they are in the target language."""

_Seconds = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class TranscriptLine(Contract):
    """A stretch of a transcript that the caller has; times in seconds from the start of the recording."""

    start: _Seconds
    end: _Seconds
    text: str


def _form(value: Any) -> str:
    return "text" if isinstance(value, str) else "segments"


# The first that is wrong says it: a body has room for a million of them.
_Lines = Annotated[tuple[TranscriptLine, ...], Field(fail_fast=True), Tag("segments")]

GivenTranscript = Annotated[
    Annotated[str, Tag("text")] | _Lines,
    Discriminator(_form),
]
"""A transcript in a request: plain text, or segments in the order of their times."""


class JobSubmission(Contract):
    """The body of POST /jobs."""

    workflow: Workflow = Workflow.FULL_PIPELINE
    file_name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """As people know it; kept in the store, never part of a path. Needed where a file is uploaded."""
    source_language: str | None = None
    """BCP-47. Left out, the language is identified; `transcribe_only` and a transcript as text need it."""
    target_language: str = "en"
    """BCP-47, of the translation and the summary."""
    size_bytes: Annotated[int, Field(ge=0)] | None = None
    """When given, checked against the limit before anything is uploaded."""
    priority: Priority = Priority.NORMAL
    metadata: dict[str, str] = Field(default_factory=dict)
    """Comes back with the job."""
    glossary: Glossary = Field(default_factory=dict)
    """How translations render these words of the recording."""
    source_job_id: str | None = None
    """For `translate_only` and `summarize_only`: a finished job, whose transcript they begin with."""
    transcript: GivenTranscript | None = None
    """For the same workflows, instead of `source_job_id`: the transcript itself."""


class JobLinks(Contract):
    """Where to go next; absolute URLs."""

    self: str
    start: str
    results: str
    cancel: str


class JobCreated(Contract):
    """The answer to POST /jobs where a file is to be uploaded."""

    job_id: str
    status: JobStatus
    upload_url: str
    """PUT the file here with `upload_headers`; good for this one blob, to create and write."""
    upload_headers: dict[str, str]
    upload_expires_at: datetime
    links: JobLinks


class JobQueued(Contract):
    """The answer to POST /jobs where nothing is uploaded: the job has begun."""

    job_id: str
    status: JobStatus
    links: JobLinks


class ErrorView(Contract):
    """Why something failed."""

    code: ErrorCode
    message: str
    step: Step | None = None


class StepView(Contract):
    """A step of the job's current run."""

    step: Step
    status: StepStatus
    attempt: int
    """The latest; 0 before the first. Of the chunks' attempts the highest."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: ErrorView | None = None
    skipped_because: str | None = None
    audio_seconds_done: float | None = None
    audio_seconds_total: float | None = None
    chunks_done: int | None = None
    chunks_total: int | None = None


class JobView(Contract):
    """GET /jobs/{id}."""

    job_id: str
    run: int
    workflow: Workflow
    status: JobStatus
    priority: Priority
    file_name: str
    source_language: str | None
    target_language: str
    language: str | None
    """As given or as identified; None as long as it is unknown."""
    duration_seconds: float | None
    metadata: dict[str, str]
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: ErrorView | None
    steps: tuple[StepView, ...]
    links: JobLinks
    glossary: Glossary = Field(default_factory=dict)
    source_job_id: str | None = None
    """The job whose transcript this one began with."""


class JobList(Contract):
    """GET /jobs: newest first."""

    jobs: tuple[JobView, ...]
    next_cursor: str | None
    """Pass it as `cursor` for the next page; None on the last."""


class JobResults(Contract):
    """GET /jobs/{id}/results: everything in one answer."""

    job_id: str
    run: int
    status: JobStatus
    workflow: Workflow
    language: str | None
    language_confidence: float | None
    duration_seconds: float | None
    transcript: Transcript | None
    translation: Translation | None
    summary: Summary | None
    files: dict[str, str]
    """File names to URLs that can be read for an hour."""
    steps: tuple[StepView, ...]
    errors: tuple[ErrorView, ...]
    warnings: tuple[str, ...]


class FieldError(Contract):
    """One thing that is wrong with a request."""

    field: str
    message: str


class Problem(Contract):
    """application/problem+json (RFC 9457) with a stable code."""

    type: str
    title: str
    status: int
    detail: str
    code: ProblemCode
    instance: str | None = None
    errors: tuple[FieldError, ...] = ()
    job_id: str | None = None
    job_status: JobStatus | None = None


class HealthView(Contract):
    """GET /health and /ready."""

    status: str
    checks: dict[str, str] = Field(default_factory=dict)
