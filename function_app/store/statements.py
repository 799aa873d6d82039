"""The statements that write jobs, steps and chunks, each with the guard that makes it harmless to repeat."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from contracts import jobs, steps, workflows
from function_app.store import cursors, job_store, tables, transitions

_JOB = tables.jobs.c
_STEP = tables.job_steps.c


def move(
    connection: sa.Connection, job_id: str, run: int | None, status: jobs.JobStatus, values: dict[str, Any]
) -> bool:
    """The one statement that changes a job's status, from where the table of transitions allows it."""
    statement = (
        sa.update(tables.jobs)
        .where(_JOB.job_id == job_id, _JOB.status.in_(transitions.jobs_before(status)))
        .values(status=status, updated_at=sa.func.now(), **values)
    )
    if run is not None:
        statement = statement.where(_JOB.run == run)
    return connection.execute(statement).rowcount == 1


def running(job_id: str, run: int) -> sa.ColumnElement[bool]:
    return sa.and_(_JOB.job_id == job_id, _JOB.run == run, _JOB.status == jobs.JobStatus.PROCESSING)


def this_step(job_id: str, run: int, step: steps.Step) -> sa.ColumnElement[bool]:
    return sa.and_(_STEP.job_id == job_id, _STEP.run == run, _STEP.step == step)


def cancel_open_steps(job_id: str) -> sa.Update:
    return (
        sa.update(tables.job_steps)
        .where(
            _STEP.job_id == job_id,
            _STEP.status.in_(transitions.OPEN_STEPS),
        )
        .values(status=steps.StepStatus.CANCELLED, finished_at=sa.func.now())
    )


def upsert_chunk(job_id: str, run: int, step: steps.Step, outcome: job_store.ChunkOutcome) -> sa.Executable:
    key: dict[str, Any] = {"job_id": job_id, "run": run, "step": step, "chunk": outcome.chunk}
    values: dict[str, Any] = {
        "attempt": outcome.attempt,
        "status": outcome.status,
        "audio_seconds": outcome.audio_seconds,
        "error": as_json(outcome.error),
        "usage": outcome.usage.model_dump(mode="json"),
    }
    # Inserted only beside a step that is open, which the run's lock keeps from ending meanwhile.
    constants = [
        sa.literal(value, tables.chunk_outcomes.c[name].type).label(name)
        for name, value in (key | values).items()
    ]
    open_step = sa.select(*constants).where(
        sa.exists().where(this_step(job_id, run, step), _STEP.status.in_(transitions.OPEN_STEPS))
    )
    insert = postgresql.insert(tables.chunk_outcomes).from_select(list(key | values), open_step)
    old, new = tables.chunk_outcomes.c, insert.excluded
    completes = sa.and_(new.attempt == old.attempt, new.status == steps.StepStatus.COMPLETED)
    return insert.on_conflict_do_update(
        index_elements=list(key),
        set_={name: new[name] for name in values},
        where=sa.and_(old.status != steps.StepStatus.COMPLETED, sa.or_(new.attempt > old.attempt, completes)),
    )


def conditions(job_filter: job_store.JobFilter, cursor: str | None) -> list[sa.ColumnElement[bool]]:
    wanted: list[sa.ColumnElement[bool]] = [
        column == value
        for column, value in (
            (_JOB.status, job_filter.status),
            (_JOB.workflow, job_filter.workflow),
            (_JOB.language, job_filter.language),
        )
        if value is not None
    ]
    if job_filter.created_from is not None:
        wanted.append(_JOB.created_at >= job_filter.created_from)
    if job_filter.created_before is not None:
        wanted.append(_JOB.created_at < job_filter.created_before)
    if cursor is not None:
        last = cursors.decode(cursor)
        wanted.append(sa.tuple_(_JOB.created_at, _JOB.job_id) < sa.tuple_(last.created_at, last.job_id))
    return wanted


def insert_job(connection: sa.Connection, job: job_store.NewJob) -> None:
    """The job with its steps; the second time changes nothing."""
    connection.execute(postgresql.insert(tables.jobs).on_conflict_do_nothing(), new_job(job))
    connection.execute(postgresql.insert(tables.job_steps).on_conflict_do_nothing(), new_steps(job))


def new_job(job: job_store.NewJob) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "tenant_id": job.tenant_id,
        "run": 1,
        "workflow": job.workflow,
        "status": jobs.JobStatus.QUEUED if job.source else jobs.JobStatus.PENDING_UPLOAD,
        "priority": job.priority,
        "file_name": job.file_name,
        "source_language": job.source_language,
        "target_language": job.target_language,
        "language": job.source_language,
        "metadata": job.metadata,
        "glossary": job.glossary,
        "source": as_json(job.source),
        "source_job_id": job.source_job_id,
    }


def new_steps(job: job_store.NewJob) -> list[dict[str, Any]]:
    return [
        {
            "job_id": job.job_id,
            "run": 1,
            "step": step,
            "position": position,
            "status": steps.StepStatus.PENDING,
        }
        for position, step in enumerate(workflows.steps_of(job.workflow))
    ]


def as_json(value: Any) -> Any:
    return value.model_dump(mode="json") if value is not None else None
