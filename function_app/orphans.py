"""Orphans: what goes on, or lies about, although its job is over. Once an hour they are ended and removed.

In the normal case there are none: an orchestration ends itself, and removes what its job has left in `work`.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import structlog
from azure.durable_functions import OrchestrationRuntimeStatus

from contracts import blobs, jobs
from function_app import errors, runs, services
from function_app.store import job_store

log = structlog.get_logger(__name__)

PAGE: Final = 100
"""Instances that Durable answers at most. The client does not ask for the next page."""
LONGEST_PREFIX: Final = 8
"""Of a job's id: so many digits tell more jobs apart than any deployment has at one time."""

_ALIVE: Final = [OrchestrationRuntimeStatus.Pending, OrchestrationRuntimeStatus.Running]
_HEX_DIGITS: Final = "0123456789abcdef"


class OrphanClient(runs.RunClient, Protocol):
    """What ending orphans needs of DurableOrchestrationClient."""

    async def get_status_by(
        self,
        created_time_from: datetime | None = None,
        created_time_to: datetime | None = None,
        runtime_status: list[OrchestrationRuntimeStatus] | None = None,
        instance_id_prefix: str | None = None,
    ) -> list[Any]:
        """The first page of the instances that match."""

    async def terminate(self, instance_id: str, reason: str) -> None:
        """Ends the instance, and none of its children."""


async def end_instances(parts: services.Services, client: OrphanClient) -> None:
    """Terminates instances that are alive long after their job was over, or that no job knows.

    The job store decides what a job is. Each instance is looked at by itself, the children too, because
    terminating one does not end its children. Raises StoreUnavailableError and DurableUnavailableError.
    """
    before = _long_ago(parts)
    ended = 0
    async for instance_id in _alive(client, created_before=before):
        if await asyncio.to_thread(_is_wanted, parts.store, instance_id, before):
            continue
        # What it was about to write the store refuses in any case.
        try:
            await client.terminate(instance_id, "its job is over")
        except Exception:
            # The client raises bare exceptions, also for an instance that was purged since: the others go on.
            log.warning("orphan_instance_not_terminated", instance_id=instance_id, exc_info=True)
            continue
        ended += 1
        log.warning("orphan_instance_terminated", instance_id=instance_id)
    log.info("orphan_instances_sought", terminated=ended)


async def remove_work(parts: services.Services) -> None:
    """Removes what lies in `work` of jobs that were over long ago: chunks, pieces, cancel markers.

    What belongs to no job is left to the clock (`sweeps.remove_old_work`). Raises StoreUnavailableError and
    BlobsUnavailableError.
    """
    removed = await asyncio.to_thread(_remove_work, parts)
    log.info("orphan_work_removed", blobs=removed)


def _long_ago(parts: services.Services) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=parts.settings.sweep_lost_after_seconds)


async def _alive(client: OrphanClient, *, created_before: datetime) -> AsyncIterator[str]:
    """Every living instance: by the first digits of its id, more of them where a page would not hold all."""
    prefixes = list(_HEX_DIGITS)
    while prefixes:
        prefix = prefixes.pop()
        try:
            found = await client.get_status_by(
                created_time_to=created_before, runtime_status=_ALIVE, instance_id_prefix=prefix
            )
        except Exception as error:
            raise errors.DurableUnavailableError from error
        if len(found) >= PAGE and len(prefix) < LONGEST_PREFIX:
            prefixes += [prefix + digit for digit in _HEX_DIGITS]
            continue
        for status in found:
            yield str(status.instance_id)


def _is_wanted(store: job_store.JobStore, instance_id: str, before: datetime) -> bool:
    """False when nothing that the instance does can matter. Children are named after their run."""
    job_id, _, run = instance_id.partition(":")[0].rpartition(".")
    job = store.find(job_id)
    if job is None or not run.isdecimal() or int(run) != job.run:
        return False
    return not _was_over(job, before)


def _was_over(job: job_store.Job, before: datetime) -> bool:
    return job.status in jobs.TERMINAL and job.updated_at < before


def _remove_work(parts: services.Services) -> int:
    before, removed = _long_ago(parts), 0
    for tenant_id, job_id in _jobs_in_work(parts):
        job = parts.store.find(job_id)
        if job is not None and job.tenant_id == tenant_id and _was_over(job, before):
            prefix = blobs.work_prefix(tenant_id=tenant_id, job_id=job_id)
            removed += parts.blobs.delete_prefix(blobs.Container.WORK, prefix)
            log.warning("orphan_work_found", job_id=job_id, status=job.status)
    return removed


def _jobs_in_work(parts: services.Services) -> Iterator[tuple[str, str]]:
    """Tenant and job of everything in `work`, each once: paths come in order."""
    last: tuple[str, str] | None = None
    for path in parts.blobs.paths(blobs.Container.WORK, ""):
        tenant_id, _, rest = path.partition("/")
        found = (tenant_id, rest.partition("/")[0])
        if found != last:
            yield found
        last = found
