"""The job store in PostgreSQL: conditional updates, each derived from the contracts' transition tables."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from contracts import blobs, jobs, results, steps
from function_app import errors, settings
from function_app.store import (
    database,
    job_store,
    migrate,
    postgres_dropped,
    rows,
    statements,
    tables,
    transitions,
)

_JOB = tables.jobs.c
_STEP = tables.job_steps.c

T = TypeVar("T")


class PostgresJobStore:
    """Keeps the promises of `job_store.JobStore`; any thread may use it.

    Every write is one transaction that is done again when the connection is lost. A method that answers
    whether "this call did it" says False when its commit arrived and only the answer was lost.
    """

    def __init__(self, connected: database.Database) -> None:
        self._database = connected
        self.dropped = postgres_dropped.PostgresDroppedFiles(connected)

    def migrate(self) -> None:
        """Brings the tables up to date; harmless to repeat, and to call from several processes at once."""
        self._database.run(migrate.migrate)

    def close(self) -> None:
        self._database.close()

    def ping(self) -> None:
        self._database.ping()

    # Reading

    def find(self, job_id: str) -> job_store.Job | None:
        return self._database.run(lambda connection: rows.read_job(connection, job_id))

    def get(self, *, tenant_id: str, job_id: str) -> job_store.Job:
        job = self.find(job_id)
        if job is None or job.tenant_id != tenant_id:
            raise errors.JobNotFoundError(job_id)
        return job

    def list(
        self, *, tenant_id: str, job_filter: job_store.JobFilter, cursor: str | None, limit: int
    ) -> job_store.JobPage:
        statement = (
            sa.select(tables.jobs)
            .where(_JOB.tenant_id == tenant_id, *statements.conditions(job_filter, cursor))
            .order_by(_JOB.created_at.desc(), _JOB.job_id.desc())
            .limit(limit + 1)
        )
        found = self._database.run(lambda connection: rows.read_jobs(connection, statement))
        return job_store.page(found, limit)

    def with_status(
        self,
        *,
        status: jobs.JobStatus,
        updated_before: datetime,
        limit: int,
        after: job_store.Job | None = None,
    ) -> Sequence[job_store.Job]:
        statement = (
            sa.select(tables.jobs)
            .where(_JOB.status == status, _JOB.updated_at < updated_before)
            .order_by(_JOB.updated_at, _JOB.job_id)
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(
                sa.tuple_(_JOB.updated_at, _JOB.job_id) > sa.tuple_(after.updated_at, after.job_id)
            )
        return self._database.run(lambda connection: rows.read_jobs(connection, statement))

    # The job

    def create(self, job: job_store.NewJob) -> job_store.Job:
        def work(connection: sa.Connection) -> job_store.Job:
            statements.insert_job(connection, job)
            return _present(rows.read_job(connection, job.job_id))

        return self._database.run(work)

    def queue(self, *, job_id: str, source: blobs.BlobReference) -> bool:
        pinned = {"source": source.model_dump(mode="json")}
        return self._move(job_id, None, jobs.JobStatus.QUEUED, pinned)

    def begin_run(self, *, job_id: str, run: int) -> job_store.Job | None:
        def work(connection: sa.Connection) -> job_store.Job | None:
            statements.move(connection, job_id, run, jobs.JobStatus.PROCESSING, {"started_at": sa.func.now()})
            job = rows.read_job(connection, job_id)
            begun = job is not None and job.run == run and job.status is jobs.JobStatus.PROCESSING
            return job if begun else None

        return self._database.run(work)

    def record_language(
        self,
        *,
        job_id: str,
        run: int,
        language: str | None,
        confidence: float | None,
        duration_seconds: float | None,
    ) -> None:
        known = {
            _JOB.language: language,
            _JOB.language_confidence: confidence,
            _JOB.duration_seconds: duration_seconds,
        }
        news = {column: value for column, value in known.items() if value is not None}
        if not news:
            return
        changed = sa.or_(*(column.is_distinct_from(value) for column, value in news.items()))
        statement = (
            sa.update(tables.jobs)
            .where(statements.running(job_id, run), changed)
            .values({column.name: value for column, value in news.items()} | {"updated_at": sa.func.now()})
        )
        self._database.run(lambda connection: connection.execute(statement))

    def end_run(self, *, job_id: str, run: int, end: job_store.RunEnd) -> bool:
        if end.status not in jobs.TERMINAL:
            raise ValueError(f"{end.status} ends no run")
        values = {
            "language": sa.func.coalesce(end.language, _JOB.language),
            "language_confidence": sa.func.coalesce(end.language_confidence, _JOB.language_confidence),
            "duration_seconds": sa.func.coalesce(end.duration_seconds, _JOB.duration_seconds),
            "error": statements.as_json(end.error),
        }
        return self._end(job_id, run, end.status, values)

    def cancel(self, *, tenant_id: str, job_id: str) -> job_store.Job:
        # The tenant of a job never changes, so that asking first opens no gap.
        self.get(tenant_id=tenant_id, job_id=job_id)
        self._end(job_id, None, jobs.JobStatus.CANCELLED, {})
        job = self.get(tenant_id=tenant_id, job_id=job_id)
        if job.status is not jobs.JobStatus.CANCELLED:
            raise errors.TransitionRefusedError(job_id=job_id, status=job.status, wanted="cancelled")
        return job

    def expire(self, *, job_id: str, error: results.RunError) -> bool:
        return self._end(job_id, None, jobs.JobStatus.EXPIRED, {"error": statements.as_json(error)})

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
        again = sa.and_(_STEP.status == steps.StepStatus.PROCESSING, _STEP.attempt < attempt)
        first = _STEP.status.in_(transitions.steps_before(steps.StepStatus.PROCESSING))
        statement = (
            sa.update(tables.job_steps)
            .where(statements.this_step(job_id, run, step), sa.or_(first, again))
            .values(
                status=steps.StepStatus.PROCESSING,
                attempt=attempt,
                started_at=sa.func.coalesce(_STEP.started_at, sa.func.now()),
                audio_seconds_total=sa.func.coalesce(audio_seconds_total, _STEP.audio_seconds_total),
                chunks_total=sa.func.coalesce(chunks_total, _STEP.chunks_total),
            )
        )
        self._write_in_run(job_id, run, statement)

    def end_step(self, *, job_id: str, run: int, end: job_store.StepEnd) -> None:
        if end.status not in steps.TERMINAL:
            raise ValueError(f"{end.status} ends no step")
        statement = (
            sa.update(tables.job_steps)
            .where(
                statements.this_step(job_id, run, end.step),
                _STEP.status.in_(transitions.steps_before(end.status)),
                _STEP.attempt <= end.attempt,
            )
            .values(
                status=end.status,
                attempt=end.attempt,
                finished_at=sa.func.now(),
                error=statements.as_json(end.error),
                skipped_because=end.skipped_because,
                usage=end.usage.model_dump(mode="json"),
            )
        )
        self._write_in_run(job_id, run, statement)

    def record_chunk(
        self, *, job_id: str, run: int, step: steps.Step, outcome: job_store.ChunkOutcome
    ) -> None:
        self._write_in_run(job_id, run, statements.upsert_chunk(job_id, run, step, outcome))

    # How they are written

    def _write_in_run(self, job_id: str, run: int, statement: sa.Executable) -> None:
        """Does the statement while the run is held open: nothing is written beside a run that ends."""

        def work(connection: sa.Connection) -> None:
            held = connection.execute(
                sa.select(_JOB.job_id).where(statements.running(job_id, run)).with_for_update()
            ).first()
            # An INSERT's row count is thrown away unless it is asked for.
            if held and connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount:
                touch = sa.update(tables.jobs).where(_JOB.job_id == job_id).values(updated_at=sa.func.now())
                connection.execute(touch)

        self._database.run(work)

    def _move(self, job_id: str, run: int | None, status: jobs.JobStatus, values: dict[str, Any]) -> bool:
        return self._database.run(lambda connection: statements.move(connection, job_id, run, status, values))

    def _end(self, job_id: str, run: int | None, status: jobs.JobStatus, values: dict[str, Any]) -> bool:
        def work(connection: sa.Connection) -> bool:
            ended = statements.move(connection, job_id, run, status, values | {"finished_at": sa.func.now()})
            if ended:
                connection.execute(statements.cancel_open_steps(job_id))
            return ended

        return self._database.run(work)


def connect(read: settings.Settings) -> PostgresJobStore:
    """No connection is made before the first use."""
    return PostgresJobStore(database.connect(read))


def _present(job: job_store.Job | None) -> job_store.Job:
    if job is None:
        raise RuntimeError("a row that was just written is not there")
    return job
