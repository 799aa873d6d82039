"""The job store's twin in memory, for tests without a database; it keeps the same promises."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from contracts import blobs, jobs, results, steps
from function_app import errors
from function_app.store import cursors, job_store, memory_dropped, memory_values, transitions

_ChunkKey = tuple[str, int, steps.Step, int]


def _now() -> datetime:
    return datetime.now(UTC)


class MemoryJobStore:
    """Any thread may use it; every method is atomic."""

    def __init__(self, clock: Callable[[], datetime] = _now) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._jobs: dict[str, job_store.Job] = {}
        self._chunks: dict[_ChunkKey, job_store.ChunkOutcome] = {}
        self.away = False
        """True makes every method raise StoreUnavailableError."""
        self.dropped = memory_dropped.MemoryDroppedFiles(self)

    @property
    def lock(self) -> threading.RLock:
        """Held by who does several things as one."""
        return self._lock

    def now(self) -> datetime:
        """The store's clock."""
        return self._clock()

    def migrate(self) -> None:
        """There is nothing to migrate."""

    def close(self) -> None:
        """There is nothing to close."""

    def ping(self) -> None:
        if self.away:
            raise errors.StoreUnavailableError

    # Reading

    def find(self, job_id: str) -> job_store.Job | None:
        self.ping()
        with self._lock:
            job = self._jobs.get(job_id)
            return None if job is None else self._with_sums(job)

    def get(self, *, tenant_id: str, job_id: str) -> job_store.Job:
        job = self.find(job_id)
        if job is None or job.tenant_id != tenant_id:
            raise errors.JobNotFoundError(job_id)
        return job

    def list(
        self, *, tenant_id: str, job_filter: job_store.JobFilter, cursor: str | None, limit: int
    ) -> job_store.JobPage:
        self.ping()
        last = cursors.decode(cursor) if cursor is not None else None
        with self._lock:
            found = [
                self._with_sums(job)
                for job in sorted(self._jobs.values(), key=memory_values.created, reverse=True)
                if job.tenant_id == tenant_id
                and memory_values.matches(job, job_filter)
                and (last is None or memory_values.created(job) < (last.created_at, last.job_id))
            ]
        return job_store.page(found[: limit + 1], limit)

    def with_status(
        self,
        *,
        status: jobs.JobStatus,
        updated_before: datetime,
        limit: int,
        after: job_store.Job | None = None,
    ) -> Sequence[job_store.Job]:
        self.ping()
        with self._lock:
            found = [
                self._with_sums(job)
                for job in sorted(self._jobs.values(), key=memory_values.updated)
                if job.status is status
                and job.updated_at < updated_before
                and (after is None or memory_values.updated(job) > memory_values.updated(after))
            ]
        return found[:limit]

    # The job

    def create(self, job: job_store.NewJob) -> job_store.Job:
        self.ping()
        with self._lock:
            self._jobs.setdefault(job.job_id, memory_values.new_job(job, self._clock()))
            return self._jobs[job.job_id]

    def queue(self, *, job_id: str, source: blobs.BlobReference) -> bool:
        return self._move(job_id, None, jobs.JobStatus.QUEUED, source=source)

    def begin_run(self, *, job_id: str, run: int) -> job_store.Job | None:
        with self._lock:
            self._move(job_id, run, jobs.JobStatus.PROCESSING, started_at=self._clock())
            return self._running(job_id, run)

    def record_language(
        self,
        *,
        job_id: str,
        run: int,
        language: str | None,
        confidence: float | None,
        duration_seconds: float | None,
    ) -> None:
        with self._lock:
            job = self._running(job_id, run)
            if job is not None:
                news = memory_values.known(language, confidence, duration_seconds)
                if any(getattr(job, name) != value for name, value in news.items()):
                    self._save(job, **news)

    def end_run(self, *, job_id: str, run: int, end: job_store.RunEnd) -> bool:
        if end.status not in jobs.TERMINAL:
            raise ValueError(f"{end.status} ends no run")
        news = memory_values.known(end.language, end.language_confidence, end.duration_seconds)
        return self._end(job_id, run, end.status, error=end.error, **news)

    def cancel(self, *, tenant_id: str, job_id: str) -> job_store.Job:
        with self._lock:
            self.get(tenant_id=tenant_id, job_id=job_id)
            self._end(job_id, None, jobs.JobStatus.CANCELLED)
            job = self.get(tenant_id=tenant_id, job_id=job_id)
        if job.status is not jobs.JobStatus.CANCELLED:
            raise errors.TransitionRefusedError(job_id=job_id, status=job.status, wanted="cancelled")
        return job

    def expire(self, *, job_id: str, error: results.RunError) -> bool:
        return self._end(job_id, None, jobs.JobStatus.EXPIRED, error=error)

    # Its steps

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
        with self._lock:
            old = self._step(job_id, run, step)
            if old is None or not memory_values.may_begin(old, attempt):
                return
            begun = replace(
                old,
                status=steps.StepStatus.PROCESSING,
                attempt=attempt,
                started_at=old.started_at or self._clock(),
                audio_seconds_total=memory_values.either(audio_seconds_total, old.audio_seconds_total),
                chunks_total=memory_values.either(chunks_total, old.chunks_total),
            )
            self._save_step(job_id, begun)

    def end_step(self, *, job_id: str, run: int, end: job_store.StepEnd) -> None:
        if end.status not in steps.TERMINAL:
            raise ValueError(f"{end.status} ends no step")
        with self._lock:
            old = self._step(job_id, run, end.step)
            if old is None or old.attempt > end.attempt or not steps.may_follow(old.status, end.status):
                return
            ended = replace(
                old,
                status=end.status,
                attempt=end.attempt,
                finished_at=self._clock(),
                error=end.error,
                skipped_because=end.skipped_because,
            )
            self._save_step(job_id, ended)

    def record_chunk(
        self, *, job_id: str, run: int, step: steps.Step, outcome: job_store.ChunkOutcome
    ) -> None:
        key = (job_id, run, step, outcome.chunk)
        with self._lock:
            record = self._step(job_id, run, step)
            if record is None or record.status not in transitions.OPEN_STEPS:
                return
            old = self._chunks.get(key)
            if old is None or memory_values.counts_more(outcome, old):
                self._chunks[key] = outcome
                self._save(self._jobs[job_id])

    # How they are kept

    def _running(self, job_id: str, run: int) -> job_store.Job | None:
        job = self.find(job_id)
        running = job is not None and job.run == run and job.status is jobs.JobStatus.PROCESSING
        return job if running else None

    def _step(self, job_id: str, run: int, step: steps.Step) -> job_store.StepRecord | None:
        self.ping()
        if self._running(job_id, run) is None:
            return None
        return next((one for one in self._jobs[job_id].steps if one.step is step), None)

    def _save(self, job: job_store.Job, **news: Any) -> None:
        # From the stored one: `job` may carry sums, which are not stored.
        stored = self._jobs[job.job_id]
        self._jobs[job.job_id] = replace(stored, updated_at=self._clock(), **news)

    def _save_step(self, job_id: str, record: job_store.StepRecord) -> None:
        job = self._jobs[job_id]
        self._save(job, steps=tuple(record if one.step is record.step else one for one in job.steps))

    def _move(self, job_id: str, run: int | None, status: jobs.JobStatus, **news: Any) -> bool:
        self.ping()
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None or run not in (None, job.run) or not jobs.may_follow(job.status, status):
                return False
            self._save(job, status=status, **news)
            return True

    def _end(self, job_id: str, run: int | None, status: jobs.JobStatus, **news: Any) -> bool:
        with self._lock:
            ended = self._move(job_id, run, status, finished_at=self._clock(), **news)
            if ended:
                now = self._clock()
                self._jobs[job_id] = memory_values.without_open_steps(self._jobs[job_id], now)
            return ended

    def _with_sums(self, job: job_store.Job) -> job_store.Job:
        return replace(job, steps=tuple(self._sums(job, record) for record in job.steps))

    def _sums(self, job: job_store.Job, record: job_store.StepRecord) -> job_store.StepRecord:
        place = (job.job_id, job.run, record.step)
        outcomes = [one for key, one in self._chunks.items() if key[:3] == place]
        if record.chunks_total is None and not outcomes:
            return record
        done = [one for one in outcomes if one.status is steps.StepStatus.COMPLETED]
        return replace(
            record,
            attempt=max(record.attempt, *(one.attempt for one in outcomes), 0),
            audio_seconds_done=float(sum(one.audio_seconds for one in done)),
            chunks_done=len(done),
        )
