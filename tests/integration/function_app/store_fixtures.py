"""What the tests of the job store share: settings, jobs, and ways to bring a job into a status."""

from __future__ import annotations

import uuid
from typing import Any

from contracts import blobs, errors, jobs, results, steps
from function_app import settings
from function_app.store import job_store

TENANT = "default"

SOURCE = blobs.BlobReference(
    container=blobs.Container.AUDIO_FILES, path="default/x/source", etag='"0x1"', size_bytes=7
)

NO_UPLOAD = results.RunError(code=errors.ErrorCode.SOURCE_MISSING, message="No file was uploaded.")


def store_settings(database_url: str, **overrides: Any) -> settings.Settings:
    values: dict[str, Any] = {
        "database_url": database_url,
        "azure_storage_connection_string": "unused",
        "service_bus_connection_string": "unused",
    }
    return settings.Settings(**(values | overrides))


def new_job(**overrides: Any) -> job_store.NewJob:
    values: dict[str, Any] = {
        "job_id": uuid.uuid4().hex,
        "tenant_id": TENANT,
        "workflow": jobs.Workflow.FULL_PIPELINE,
        "priority": jobs.Priority.NORMAL,
        "file_name": "meeting.mp3",
        "source_language": None,
        "target_language": "en",
        "metadata": {"customer": "4711"},
    }
    return job_store.NewJob(**(values | overrides))


def job_in(store: job_store.JobStore, status: jobs.JobStatus) -> job_store.Job:
    """A job brought into the status by the store's own methods."""
    job_id = store.create(new_job()).job_id
    if status is jobs.JobStatus.EXPIRED:
        assert store.expire(job_id=job_id, error=NO_UPLOAD)
    elif status is not jobs.JobStatus.PENDING_UPLOAD:
        assert store.queue(job_id=job_id, source=SOURCE)
        if status is not jobs.JobStatus.QUEUED:
            assert store.begin_run(job_id=job_id, run=1)
            if status is not jobs.JobStatus.PROCESSING:
                assert store.end_run(job_id=job_id, run=1, end=job_store.RunEnd(status=status))
    job = store.get(tenant_id=TENANT, job_id=job_id)
    assert job.status is status
    return job


def bring_step_into(
    store: job_store.JobStore, job_id: str, step: steps.Step, status: steps.StepStatus
) -> None:
    """Brings a step of a processing job into the status by the store's own methods."""
    if status is steps.StepStatus.PENDING:
        return
    store.begin_step(job_id=job_id, run=1, step=step, attempt=1)
    if status is not steps.StepStatus.PROCESSING:
        store.end_step(job_id=job_id, run=1, end=job_store.StepEnd(step=step, attempt=1, status=status))


def step_of(store: job_store.JobStore, job_id: str, step: steps.Step) -> job_store.StepRecord:
    job = store.find(job_id)
    assert job is not None
    return next(one for one in job.steps if one.step is step)
