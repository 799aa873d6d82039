"""The sweep: once a minute it finishes what a killed process, a lost event or a lost instance left undone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from contracts import blobs, identity, jobs, results
from contracts import errors as contract_errors
from function_app import errors, runs, services, settings, uploads
from function_app.drop_folder import files as dropped
from function_app.drop_folder import receipts
from function_app.store import job_store

log = structlog.get_logger(__name__)

RUN_LOST: Final = results.RunError(
    code=contract_errors.ErrorCode.RUN_LOST,
    message="The run was lost before it ended. Submit the file again.",
)


async def sweep(parts: services.Services, client: runs.RunClient) -> None:
    """One pass over all open jobs; harmless to repeat, and to run twice at a time.

    What goes wrong with one job is logged and does not keep the others waiting. Raises StoreUnavailableError.
    """
    read = parts.settings
    started, expired, lost = (
        timedelta(seconds=read.sweep_start_after_seconds),
        timedelta(hours=read.upload_expiry_hours),
        timedelta(seconds=read.sweep_lost_after_seconds),
    )
    await _each(parts, client, jobs.JobStatus.QUEUED, started, _start)
    await _each(parts, client, jobs.JobStatus.PENDING_UPLOAD, expired, _start_or_expire)
    await _each(parts, client, jobs.JobStatus.PROCESSING, lost, _end_if_lost)
    while await dropped.decide_settled(parts, client) == 0.0:
        pass
    await asyncio.to_thread(receipts.tell_all, parts)


async def remove_old_work(parts: services.Services) -> None:
    """Removes what jobs left in `work` that ended without tidying up; in Azure storage does it by itself."""
    before = datetime.now(UTC) - timedelta(hours=parts.settings.work_retention_hours)
    removed = await asyncio.to_thread(parts.blobs.delete_older, blobs.Container.WORK, written_before=before)
    log.info("old_work_removed", blobs=removed)


Tidy = Callable[[services.Services, runs.RunClient, job_store.Job], Awaitable[None]]


async def _each(
    parts: services.Services, client: runs.RunClient, status: jobs.JobStatus, age: timedelta, tidy: Tidy
) -> None:
    async for job in _older(parts, status, datetime.now(UTC) - age):
        try:
            await tidy(parts, client, job)
        except errors.StoreUnavailableError:
            raise
        except errors.FunctionAppError as error:
            log.warning(
                "sweep_put_off", job_id=job.job_id, status=status, code=error.code, problem=str(error)
            )
        except Exception:
            # A mistake of ours that one job brings to light must not stop all others, now and every minute.
            log.exception("sweep_failed", job_id=job.job_id, status=status)


async def _older(
    parts: services.Services, status: jobs.JobStatus, updated_before: datetime
) -> AsyncIterator[job_store.Job]:
    after: job_store.Job | None = None
    while True:
        found = await asyncio.to_thread(
            parts.store.with_status,
            status=status,
            updated_before=updated_before,
            limit=parts.settings.sweep_batch_jobs,
            after=after,
        )
        for job in found:
            yield job
        if len(found) < parts.settings.sweep_batch_jobs:
            return
        after = found[-1]


async def _start(parts: services.Services, client: runs.RunClient, job: job_store.Job) -> None:
    """A queued job whose instance is missing is started; one whose instance ended without a word is lost."""
    if await runs.start_run(client, job, parts.settings):
        log.info("sweep_started_run", job_id=job.job_id, run=job.run)
    elif job.updated_at < datetime.now(UTC) - timedelta(seconds=parts.settings.sweep_lost_after_seconds):
        await _end_if_lost(parts, client, job)


async def _start_or_expire(parts: services.Services, client: runs.RunClient, job: job_store.Job) -> None:
    """The upload may be there although nobody said so: then the job starts now, late but as it should."""
    try:
        await uploads.start(parts, client, job)
    except errors.UploadError as error:
        why = _why_expired(error, parts.settings)
        if await asyncio.to_thread(parts.store.expire, job_id=job.job_id, error=why):
            log.info("job_expired", job_id=job.job_id, code=error.code)
    except errors.JobNotStartableError:
        log.info("job_ended_meanwhile", job_id=job.job_id)


def _why_expired(error: errors.UploadError, read: settings.Settings) -> results.RunError:
    """For whoever left out POST start, which would have said so at once."""
    code, said = _UPLOADS[type(error)]
    sentence = said.format(hours=read.upload_expiry_hours) or str(error)
    return results.RunError(code=code, message=f"{sentence} Submit the recording again.")


_UPLOADS: Final = {
    errors.UploadMissingError: (
        contract_errors.ErrorCode.SOURCE_MISSING,
        "No file was uploaded within {hours:g} hours.",
    ),
    errors.UploadEmptyError: (contract_errors.ErrorCode.EMPTY_FILE, "The uploaded file was empty."),
    errors.UploadTooLargeError: (contract_errors.ErrorCode.TOO_LARGE, ""),
}
"""Codes and sentences; where there is none the error's own says it."""


async def _end_if_lost(parts: services.Services, client: runs.RunClient, job: job_store.Job) -> None:
    instance_id = identity.instance_id(job_id=job.job_id, run=job.run)
    state = await runs.instance_state(client, instance_id)
    if state is runs.InstanceState.ALIVE:
        return
    # An instance writes the end of its run before it ends: the store refuses to end a run that ended so.
    end = job_store.RunEnd(status=jobs.JobStatus.FAILED, error=RUN_LOST)
    if await asyncio.to_thread(parts.store.end_run, job_id=job.job_id, run=job.run, end=end):
        log.error("run_lost", job_id=job.job_id, run=job.run, instance_state=state)
        prefix = blobs.work_prefix(tenant_id=job.tenant_id, job_id=job.job_id)
        await asyncio.to_thread(parts.blobs.delete_prefix, blobs.Container.WORK, prefix)
