"""From a file in the drop folder to a job.

A version of a file (its path and its ETag) is noted when it is seen, and decided about once it has been still
for a while: one transaction makes it `taken` together with its job. Whoever is killed before that leaves it
`settling`, and whoever is killed after it leaves a queued job: the sweep goes on with both.
"""

import asyncio
import dataclasses
import itertools
from typing import Final

import structlog

from contracts import blobs, drop_folder
from function_app import errors, runs, services
from function_app.drop_folder import manifests, names, receipts
from function_app.store import dropped_files, job_store

log = structlog.get_logger(__name__)

FOLDER: Final = blobs.Container.DROP_FOLDER
BATCH: Final = 200
_LISTED_TOGETHER: Final = 500


def note(parts: services.Services, path: str) -> bool:
    """Notes the file, or what its manifest changes. True when something is settling now.

    Raises StoreUnavailableError and BlobsUnavailableError.
    """
    if names.is_passed_over(path):
        log.info("dropped_file_passed_over")
        return False
    found = parts.blobs.facts(FOLDER, path)
    if found is None:
        return False
    etag = str(found.reference.etag)
    if names.is_manifest(path):
        return _note_manifest(parts, names.described_by(path), etag)
    parts.store.dropped.see(_version(parts, path, etag))
    return True


def note_missed(parts: services.Services) -> None:
    """Notes every file in the folder: those that storage never announced, or whose announcement was lost."""
    found = (
        _version(parts, one.path, str(one.etag))
        for one in parts.blobs.listed(FOLDER)
        if not names.is_manifest(one.path) and not names.is_passed_over(one.path)
    )
    while batch := tuple(itertools.islice(found, _LISTED_TOGETHER)):
        parts.store.dropped.see(*batch)


async def decide_settled(parts: services.Services, client: runs.RunClient) -> float | None:
    """Decides about the files that have been still for long enough; harmless to repeat, and to run twice.

    Answers in how many seconds there is more to do; None when nothing is settling. What goes wrong with one
    file keeps no other waiting. Raises StoreUnavailableError.
    """
    settle_seconds = parts.settings.drop_folder_settle_seconds
    waiting = await asyncio.to_thread(parts.store.dropped.settling, limit=BATCH)
    still = [one for one in waiting if one.age_seconds >= settle_seconds]
    put_off = [one for one in still if not await _try_to_decide(parts, client, one)]
    pauses = [settle_seconds - one.age_seconds for one in waiting if one.age_seconds < settle_seconds]
    if len(waiting) == BATCH and len(put_off) < len(still):
        return 0.0
    if put_off:
        pauses.append(max(settle_seconds, 1.0))
    return min(pauses, default=None)


async def _try_to_decide(
    parts: services.Services, client: runs.RunClient, file: dropped_files.DroppedFile
) -> bool:
    try:
        job = await asyncio.to_thread(_decide, parts, file.version)
        if job is not None:
            await runs.start_run(client, job, parts.settings)
        await asyncio.to_thread(receipts.tell_of, parts, file.version)
        return not await asyncio.to_thread(_look_again, parts, file.version.path)
    except errors.StoreUnavailableError:
        raise
    except errors.FunctionAppError as error:
        # A job that is queued is started by the sweep, and a receipt that is missing is written by it.
        log.warning("dropped_file_put_off", code=error.code, problem=type(error).__name__)
        return False
    except Exception:
        # A mistake of ours that one file brings to light must not stop all others, now and every minute.
        log.exception("dropped_file_not_decided", version=drop_folder.file_version(file.version.etag))
        return False


def _look_again(parts: services.Services, path: str) -> bool:
    """For a manifest that came while its file was being decided about: when it was announced, that was not
    over. True when the file is settling again.
    """
    manifest = parts.blobs.facts(FOLDER, names.manifest_of(path))
    return manifest is not None and _note_manifest(parts, path, str(manifest.reference.etag))


def _decide(parts: services.Services, version: dropped_files.Version) -> job_store.Job | None:
    """The job when the file has just become one."""
    dropped = parts.store.dropped
    found = parts.blobs.facts(FOLDER, version.path)
    if found is None or found.reference.etag != version.etag:
        if found is not None:
            dropped.see(_version(parts, version.path, str(found.reference.etag)))
        dropped.replace(version)
        return None
    manifest = parts.blobs.facts(FOLDER, names.manifest_of(version.path))
    manifest_etag = manifest.reference.etag if manifest else None
    try:
        new = _new_job(parts, found.reference, manifest.reference if manifest else None)
    except errors.RejectedFileError as error:
        if dropped.reject(version, error.rejection, manifest_etag=manifest_etag):
            log.info("dropped_file_rejected", code=error.code)
        return None
    job = dropped.take(version, new, manifest_etag=manifest_etag)
    if job is not None:
        log.info("dropped_file_taken", job_id=job.job_id, workflow=job.workflow)
    return job


def _new_job(
    parts: services.Services, source: blobs.BlobReference, manifest: blobs.BlobReference | None
) -> job_store.NewJob:
    """Workers read the file where it lies, in the version that was taken."""
    options = drop_folder.Manifest()
    if manifest is not None:
        manifests.check_size(manifest.size_bytes or 0)
        options = manifests.parse(parts.blobs.read(manifest))
    new = manifests.new_job(
        options,
        path=source.path,
        file_name=names.file_name(source.path),
        size_bytes=source.size_bytes or 0,
        read=parts.settings,
    )
    return dataclasses.replace(new, source=source)


def _note_manifest(parts: services.Services, path: str, etag: str) -> bool:
    tenant_id = parts.settings.default_tenant_id
    if parts.store.dropped.try_again(tenant_id=tenant_id, path=path, manifest_etag=etag):
        return True
    last = parts.store.dropped.latest(tenant_id=tenant_id, path=path)
    if last is None or last.status is not dropped_files.FileStatus.TAKEN or last.manifest_etag == etag:
        return last is not None and last.status is dropped_files.FileStatus.SETTLING
    receipts.tell_too_late(parts, last, etag)
    return False


def _version(parts: services.Services, path: str, etag: str) -> dropped_files.Version:
    return dropped_files.Version(tenant_id=parts.settings.default_tenant_id, path=path, etag=etag)
