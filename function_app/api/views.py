"""What the API shows of jobs."""

from contracts import api, results
from function_app.api import links
from function_app.store import job_store


def of_job(job: job_store.Job, base: str) -> api.JobView:
    """The job with its steps and links; `base` is where the API is for the caller."""
    return api.JobView(
        job_id=job.job_id,
        run=job.run,
        workflow=job.workflow,
        status=job.status,
        priority=job.priority,
        file_name=job.file_name,
        source_language=job.source_language,
        target_language=job.target_language,
        language=job.language,
        duration_seconds=job.duration_seconds,
        metadata=job.metadata,
        created_at=job.created_at,
        updated_at=job.updated_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        error=_error(job.error),
        steps=of_steps(job),
        links=links.of_job(base, job.job_id),
        glossary=job.glossary,
        source_job_id=job.source_job_id,
    )


def of_steps(job: job_store.Job) -> tuple[api.StepView, ...]:
    """The steps of the job's current run, in the workflow's order."""
    return tuple(_step(one) for one in job.steps)


def of_error(error: results.RunError) -> api.ErrorView:
    """Why something failed."""
    return api.ErrorView(code=error.code, message=error.message, step=error.step)


def _error(error: results.RunError | None) -> api.ErrorView | None:
    return None if error is None else of_error(error)


def _step(record: job_store.StepRecord) -> api.StepView:
    return api.StepView(
        step=record.step,
        status=record.status,
        attempt=record.attempt,
        started_at=record.started_at,
        finished_at=record.finished_at,
        error=_error(record.error),
        skipped_because=record.skipped_because,
        audio_seconds_done=record.audio_seconds_done,
        audio_seconds_total=record.audio_seconds_total,
        chunks_done=record.chunks_done,
        chunks_total=record.chunks_total,
    )
