"""What the function app asks of the job store; the store, not Durable, decides what a job is.

Activities run at least once and late, so every write is guarded by (run, attempt), moves forward only, and
may be repeated: the second time changes nothing. Writes to a terminal run change nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from contracts import blobs, events, jobs, results, steps
from function_app.store import cursors, dropped_files


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A job as it is submitted."""

    job_id: str
    tenant_id: str
    workflow: jobs.Workflow
    priority: jobs.Priority
    file_name: str
    source_language: str | None
    target_language: str
    metadata: dict[str, str]
    glossary: dict[str, str] = field(default_factory=dict)
    source: blobs.BlobReference | None = None
    """Given where nothing is uploaded any more: the job is `queued` from the start."""
    source_job_id: str | None = None
    """The job whose transcript this one begins with."""


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """A step of one run, with the sums over its chunks."""

    step: steps.Step
    status: steps.StepStatus
    attempt: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: results.RunError | None = None
    skipped_because: str | None = None
    audio_seconds_total: float | None = None
    audio_seconds_done: float | None = None
    chunks_total: int | None = None
    chunks_done: int | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job with its current run."""

    job_id: str
    tenant_id: str
    run: int
    workflow: jobs.Workflow
    status: jobs.JobStatus
    priority: jobs.Priority
    file_name: str
    source_language: str | None
    target_language: str
    language: str | None
    language_confidence: float | None
    duration_seconds: float | None
    metadata: dict[str, str]
    source: blobs.BlobReference | None
    """Pinned when the job was queued."""
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: results.RunError | None
    steps: tuple[StepRecord, ...] = ()
    """In the workflow's order."""
    glossary: dict[str, str] = field(default_factory=dict)
    source_job_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class JobFilter:
    """Which jobs a list wants; None means any."""

    status: jobs.JobStatus | None = None
    workflow: jobs.Workflow | None = None
    language: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class JobPage:
    """Newest first."""

    jobs: tuple[Job, ...]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True)
class ChunkOutcome:
    """The end of one attempt of one chunk."""

    chunk: int
    attempt: int
    status: steps.StepStatus
    audio_seconds: float
    error: results.RunError | None = None
    usage: events.Usage = field(default_factory=events.Usage)


@dataclass(frozen=True, kw_only=True)
class StepEnd:
    """The end of a step."""

    step: steps.Step
    attempt: int
    status: steps.StepStatus
    error: results.RunError | None = None
    skipped_because: str | None = None
    usage: events.Usage = field(default_factory=events.Usage)


@dataclass(frozen=True, kw_only=True)
class RunEnd:
    """The end of a run."""

    status: jobs.JobStatus
    language: str | None = None
    language_confidence: float | None = None
    duration_seconds: float | None = None
    error: results.RunError | None = None


class JobStore(Protocol):
    """PostgreSQL in every environment. All methods block; all raise StoreUnavailableError when it is away."""

    @property
    def dropped(self) -> dropped_files.DroppedFileStore:
        """What is known of the drop folder's files."""

    def create(self, job: NewJob) -> Job:
        """Writes the job, run 1, with a `pending` row for each step of its workflow.

        As `pending_upload`, or as `queued` when it has its source already.
        """

    def get(self, *, tenant_id: str, job_id: str) -> Job:
        """Raises JobNotFoundError, for another tenant's job as well."""

    def find(self, job_id: str) -> Job | None:
        """For triggers and activities, which know no tenant."""

    def list(self, *, tenant_id: str, job_filter: JobFilter, cursor: str | None, limit: int) -> JobPage:
        """Newest first, by (created_at, job_id). Raises ValueError when the cursor is not one of ours."""

    def queue(self, *, job_id: str, source: blobs.BlobReference) -> bool:
        """`pending_upload` to `queued`, pinning the source. True for the one call that did it."""

    def begin_run(self, *, job_id: str, run: int) -> Job | None:
        """`queued` to `processing`; the job, also when begun before; None when it is over or cancelled."""

    def begin_step(
        self,
        *,
        job_id: str,
        run: int,
        step: steps.Step,
        attempt: int,
        audio_seconds_total: float | None = None,
        chunks_total: int | None = None,
    ) -> None:
        """`pending` to `processing`, or a higher attempt of a step that is processing."""

    def record_language(
        self,
        *,
        job_id: str,
        run: int,
        language: str | None,
        confidence: float | None,
        duration_seconds: float | None,
    ) -> None:
        """What is known so far; None leaves a value as it is."""

    def record_chunk(self, *, job_id: str, run: int, step: steps.Step, outcome: ChunkOutcome) -> None:
        """One row per chunk: the highest attempt counts, and `completed` is never taken back."""

    def end_step(self, *, job_id: str, run: int, end: StepEnd) -> None:
        """To a terminal status, from `pending` or `processing`."""

    def end_run(self, *, job_id: str, run: int, end: RunEnd) -> bool:
        """To a terminal status; its open steps become `cancelled`. True when this call did it."""

    def cancel(self, *, tenant_id: str, job_id: str) -> Job:
        """To `cancelled`, with its open steps. Repeating it answers the same.

        Raises JobNotFoundError, and TransitionRefusedError for a run that ended otherwise.
        """

    def expire(self, *, job_id: str, error: results.RunError) -> bool:
        """`pending_upload` to `expired`, with what was wrong. True when this call did it."""

    def with_status(
        self, *, status: jobs.JobStatus, updated_before: datetime, limit: int, after: Job | None = None
    ) -> Sequence[Job]:
        """For the sweep: oldest first, by (updated_at, job_id); those after `after` when it is given."""

    def ping(self) -> None:
        """One short try. Raises StoreUnavailableError."""


def page(found: Sequence[Job], limit: int) -> JobPage:
    """The first `limit` of the jobs, with a cursor when there is one more."""
    shown = tuple(found[:limit])
    if len(found) <= limit:
        return JobPage(jobs=shown, next_cursor=None)
    last = cursors.Position(created_at=shown[-1].created_at, job_id=shown[-1].job_id)
    return JobPage(jobs=shown, next_cursor=cursors.encode(last))
