"""Uploads: what becomes of a job once its file is there. Blob trigger and POST start do the same thing."""

import asyncio

import structlog

from contracts import blobs, jobs
from function_app import errors, runs, services, settings
from function_app.store import job_store

log = structlog.get_logger(__name__)

_NEVER_STARTS = frozenset({jobs.JobStatus.CANCELLED, jobs.JobStatus.EXPIRED})


async def start(parts: services.Services, client: runs.RunClient, job: job_store.Job) -> job_store.Job:
    """Queues the job for the upload that is there now and starts its run; the job as it is then.

    Any number of calls, in any order, by anybody: one pins the upload, and Durable takes the run's instance
    id once. A job that runs or has run is answered as it is. Raises JobNotStartableError, UploadError and
    DurableUnavailableError.
    """
    job = await asyncio.to_thread(queue, parts, job)
    # Not only by the call that queued it: that one may have been killed before it came to this.
    if job.status is jobs.JobStatus.QUEUED:
        await runs.start_run(client, job, parts.settings)
    return job


async def arrived(parts: services.Services, client: runs.RunClient, blob_name: str) -> None:
    """As `start`, for a blob named `audio-files/{tenant}/{job_id}/source`.

    What no repetition would change is logged and let be: an upload of nobody's job, or one that cannot be
    taken, which the job's owner is told by POST start. All else raises, so that the trigger comes again.
    """
    job_id = blob_name.split("/")[-2]
    job = await asyncio.to_thread(parts.store.find, job_id)
    if job is None or not blob_name.endswith(blobs.source_path(tenant_id=job.tenant_id, job_id=job_id)):
        log.warning("upload_without_job", job_id=job_id)
        return
    try:
        await start(parts, client, job)
    except (errors.UploadError, errors.JobNotStartableError) as error:
        log.warning("upload_not_taken", job_id=job_id, code=error.code)


def queue(parts: services.Services, job: job_store.Job) -> job_store.Job:
    """Pins the upload of a job that waits for it. Raises JobNotStartableError and UploadError."""
    if job.status is jobs.JobStatus.PENDING_UPLOAD:
        source = checked_upload(parts, job)
        if parts.store.queue(job_id=job.job_id, source=source):
            log.info("job_queued", job_id=job.job_id, size_bytes=source.size_bytes)
        job = parts.store.get(tenant_id=job.tenant_id, job_id=job.job_id)
    if job.status in _NEVER_STARTS:
        raise errors.JobNotStartableError(job_id=job.job_id, status=job.status, wanted="started")
    return job


def checked_upload(parts: services.Services, job: job_store.Job) -> blobs.BlobReference:
    """The upload as it is now. Raises UploadMissingError, UploadEmptyError and UploadTooLargeError."""
    path = blobs.source_path(tenant_id=job.tenant_id, job_id=job.job_id)
    found = parts.blobs.facts(blobs.Container.AUDIO_FILES, path)
    if found is None:
        raise errors.UploadMissingError
    if found.size_bytes == 0:
        raise errors.UploadEmptyError
    check_size(found.size_bytes, parts.settings)
    return found.reference


def check_size(size_bytes: int, read: settings.Settings) -> None:
    """A SAS cannot bound what is uploaded with it, so the size is checked before and after. Raises
    UploadTooLargeError.
    """
    if size_bytes > read.largest_source_bytes:
        message = f"The file has {size_bytes} bytes; at most {read.largest_source_bytes} are taken."
        raise errors.UploadTooLargeError(message)
