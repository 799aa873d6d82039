"""Cancelling: the store says so first, then a marker blob tells the workers."""

import structlog

from contracts import blobs
from function_app import services
from function_app.store import job_store

log = structlog.get_logger(__name__)


def cancel(parts: services.Services, job: job_store.Job) -> job_store.Job:
    """The cancelled job. Any number of times: a call that was killed in between is made good by the next.

    The run's orchestration asks the store before each dispatch and ends by itself; workers look for the
    marker. Raises TransitionRefusedError for a job that ended otherwise.
    """
    cancelled = parts.store.cancel(tenant_id=job.tenant_id, job_id=job.job_id)
    marker = blobs.cancel_marker_path(tenant_id=job.tenant_id, job_id=job.job_id, run=cancelled.run)
    # Nobody has ever worked on a job without a source.
    if cancelled.source is not None:
        parts.blobs.ensure(blobs.Container.WORK, marker, b"", content_type="application/octet-stream")
    log.info("job_cancelled", job_id=job.job_id, run=cancelled.run)
    return cancelled
