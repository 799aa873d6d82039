"""Rows to values, and the statements that read them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from contracts import blobs, jobs, results, steps
from function_app.store import job_store, tables


def read_jobs(connection: sa.Connection, statement: sa.Select[Any]) -> tuple[job_store.Job, ...]:
    """The jobs that the statement on `jobs` finds, in its order, each with the steps of its current run.

    Jobs are read before steps: a job that is seen to be over has no step that is seen to be open.
    """
    rows = connection.execute(statement).all()
    found = _steps_of(connection, [row.job_id for row in rows])
    return tuple(_job(row, found.get((row.job_id, row.run), ())) for row in rows)


def read_job(connection: sa.Connection, job_id: str) -> job_store.Job | None:
    """The job, or None."""
    found = read_jobs(connection, sa.select(tables.jobs).where(tables.jobs.c.job_id == job_id))
    return found[0] if found else None


def _steps_of(
    connection: sa.Connection, job_ids: Sequence[str]
) -> Mapping[tuple[str, int], Sequence[job_store.StepRecord]]:
    if not job_ids:
        return {}
    found: dict[tuple[str, int], list[job_store.StepRecord]] = {}
    for row in connection.execute(_steps_statement(job_ids)):
        found.setdefault((row.job_id, row.run), []).append(_step(row))
    return found


def _steps_statement(job_ids: Sequence[str]) -> sa.Select[Any]:
    step, chunk = tables.job_steps.c, tables.chunk_outcomes.c
    completed = chunk.status == steps.StepStatus.COMPLETED
    sums = (
        sa.select(
            chunk.job_id,
            chunk.run,
            chunk.step,
            sa.func.max(chunk.attempt).label("chunk_attempt"),
            sa.func.count().filter(completed).label("chunks_done"),
            sa.func.coalesce(sa.func.sum(chunk.audio_seconds).filter(completed), 0.0).label("seconds_done"),
        )
        .where(chunk.job_id.in_(job_ids))
        .group_by(chunk.job_id, chunk.run, chunk.step)
        .subquery()
    )
    same = sa.and_(sums.c.job_id == step.job_id, sums.c.run == step.run, sums.c.step == step.step)
    return (
        sa.select(tables.job_steps, sums.c.chunk_attempt, sums.c.chunks_done, sums.c.seconds_done)
        .select_from(tables.job_steps.outerjoin(sums, same))
        .where(step.job_id.in_(job_ids))
        .order_by(step.job_id, step.run, step.position)
    )


def _step(row: Any) -> job_store.StepRecord:
    in_chunks = row.chunks_total is not None or row.chunks_done is not None
    return job_store.StepRecord(
        step=steps.Step(row.step),
        status=steps.StepStatus(row.status),
        attempt=max(row.attempt, row.chunk_attempt or 0),
        started_at=row.started_at,
        finished_at=row.finished_at,
        error=_error(row.error),
        skipped_because=row.skipped_because,
        audio_seconds_total=row.audio_seconds_total,
        audio_seconds_done=(row.seconds_done or 0.0) if in_chunks else None,
        chunks_total=row.chunks_total,
        chunks_done=(row.chunks_done or 0) if in_chunks else None,
    )


def _job(row: Any, found: Iterable[job_store.StepRecord]) -> job_store.Job:
    return job_store.Job(
        job_id=row.job_id,
        tenant_id=row.tenant_id,
        run=row.run,
        workflow=jobs.Workflow(row.workflow),
        status=jobs.JobStatus(row.status),
        priority=jobs.Priority(row.priority),
        file_name=row.file_name,
        source_language=row.source_language,
        target_language=row.target_language,
        language=row.language,
        language_confidence=row.language_confidence,
        duration_seconds=row.duration_seconds,
        metadata=row.metadata,
        source=blobs.BlobReference.model_validate(row.source) if row.source else None,
        created_at=row.created_at,
        updated_at=row.updated_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error=_error(row.error),
        steps=tuple(found),
        glossary=row.glossary,
        source_job_id=row.source_job_id,
    )


def _error(value: Any) -> results.RunError | None:
    return results.RunError.model_validate(value) if value else None
