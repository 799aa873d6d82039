"""The rules of the store's twin in memory: what PostgreSQL has as statements, as functions of values."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from contracts import jobs, steps, workflows
from function_app.store import job_store, transitions


def created(job: job_store.Job) -> tuple[datetime, str]:
    return (job.created_at, job.job_id)


def updated(job: job_store.Job) -> tuple[datetime, str]:
    return (job.updated_at, job.job_id)


def either(new: Any, old: Any) -> Any:
    return old if new is None else new


def known(language: str | None, confidence: float | None, duration_seconds: float | None) -> dict[str, Any]:
    values = {
        "language": language,
        "language_confidence": confidence,
        "duration_seconds": duration_seconds,
    }
    return {name: value for name, value in values.items() if value is not None}


def may_begin(record: job_store.StepRecord, attempt: int) -> bool:
    again = record.status is steps.StepStatus.PROCESSING and record.attempt < attempt
    return again or steps.may_follow(record.status, steps.StepStatus.PROCESSING)


def counts_more(new: job_store.ChunkOutcome, old: job_store.ChunkOutcome) -> bool:
    completed = steps.StepStatus.COMPLETED
    completes = new.attempt == old.attempt and new.status is completed
    return old.status is not completed and (new.attempt > old.attempt or completes)


def matches(job: job_store.Job, job_filter: job_store.JobFilter) -> bool:
    return (
        job_filter.status in (None, job.status)
        and job_filter.workflow in (None, job.workflow)
        and job_filter.language in (None, job.language)
        and (job_filter.created_from is None or job.created_at >= job_filter.created_from)
        and (job_filter.created_before is None or job.created_at < job_filter.created_before)
    )


def without_open_steps(job: job_store.Job, now: datetime) -> job_store.Job:
    closed = tuple(
        replace(one, status=steps.StepStatus.CANCELLED, finished_at=now)
        if one.status in transitions.OPEN_STEPS
        else one
        for one in job.steps
    )
    return replace(job, steps=closed)


def new_job(job: job_store.NewJob, now: datetime) -> job_store.Job:
    pending = steps.StepStatus.PENDING
    return job_store.Job(
        job_id=job.job_id,
        tenant_id=job.tenant_id,
        run=1,
        workflow=job.workflow,
        status=jobs.JobStatus.QUEUED if job.source else jobs.JobStatus.PENDING_UPLOAD,
        priority=job.priority,
        file_name=job.file_name,
        source_language=job.source_language,
        target_language=job.target_language,
        language=job.source_language,
        language_confidence=None,
        duration_seconds=None,
        metadata=dict(job.metadata),
        source=job.source,
        glossary=dict(job.glossary),
        source_job_id=job.source_job_id,
        created_at=now,
        updated_at=now,
        started_at=None,
        finished_at=None,
        error=None,
        steps=tuple(
            job_store.StepRecord(step=step, status=pending) for step in workflows.steps_of(job.workflow)
        ),
    )
