"""What people who drop files are told: JSON and plain text, in `results`, never in the folder itself."""

from datetime import UTC, datetime
from typing import Final

import structlog

from contracts import blobs, contract, drop_folder, jobs, results
from function_app import errors, services
from function_app.activities import run_files
from function_app.store import dropped_files, job_store
from function_app.store.dropped_files import FileStatus, Told

log = structlog.get_logger(__name__)

BATCH: Final = 200
_RESULTS: Final = blobs.Container.RESULTS
_TEXT: Final = "text/plain; charset=utf-8"

TOO_LATE: Final = (
    "This manifest came after its file had been taken, so the job runs without it. To use it, drop the file "
    "again: the manifest first, or within a few seconds."
)


def tell_of(parts: services.Services, version: dropped_files.Version) -> None:
    """Tells what has become of this version, if anything has. Raises StoreUnavailableError and BlobError."""
    last = parts.store.dropped.latest(tenant_id=version.tenant_id, path=version.path)
    if last is not None and last.version == version:
        _tell(parts, last)


def tell_of_job(parts: services.Services, job: job_store.Job) -> None:
    """Tells the end of a job that came from the drop folder; of others there is nobody to tell.

    What fails is left to the sweep.
    """
    if job.source is None or job.source.container is not blobs.Container.DROP_FOLDER:
        return
    try:
        file = parts.store.dropped.of_job(job.job_id)
        if file is not None:
            _tell(parts, file)
    except errors.FunctionAppError as error:
        log.warning("receipt_put_off", job_id=job.job_id, code=error.code)


def tell_all(parts: services.Services) -> None:
    """Tells everything that has not been told: once a minute. Raises StoreUnavailableError."""
    for file in parts.store.dropped.untold(limit=BATCH):
        try:
            _tell(parts, file)
        except errors.BlobError as error:
            log.warning("receipt_put_off", job_id=file.job_id, code=error.code)


def tell_too_late(parts: services.Services, file: dropped_files.DroppedFile, manifest_etag: str) -> None:
    """A manifest came after its file was taken: better said than passed over in silence."""
    code = drop_folder.RejectionCode.MANIFEST_TOO_LATE
    rejection = drop_folder.Rejection(code=code, message=TOO_LATE)
    receipt = _receipt(file, rejection=rejection, job_id=file.job_id)
    _Files(parts, _rejection_path(file, manifest_etag)).ensure(receipt)


def _tell(parts: services.Services, file: dropped_files.DroppedFile) -> None:
    """Written before it is noted as written: who is killed in between writes the same again."""
    if file.status is FileStatus.REJECTED:
        receipt = _receipt(file, rejection=file.rejection)
        _Files(parts, _rejection_path(file, file.manifest_etag)).ensure(receipt)
        parts.store.dropped.tell(file, Told.END)
    elif file.status is FileStatus.TAKEN and file.job_id:
        _tell_of_taken(parts, file, parts.store.find(file.job_id))


def _tell_of_taken(
    parts: services.Services, file: dropped_files.DroppedFile, job: job_store.Job | None
) -> None:
    if job is None:
        parts.store.dropped.tell(file, Told.END)
        return
    files = _Files(parts, _receipt_path(file))
    if job.status in jobs.TERMINAL:
        files.replace(_end_receipt(parts, file, job))
        parts.store.dropped.tell(file, Told.END)
    else:
        # Never over the end, which may have been written meanwhile.
        files.ensure(_receipt(file, job_id=job.job_id, status=jobs.JobStatus.QUEUED))
        parts.store.dropped.tell(file, Told.BEGINNING)


class _Files:
    """The two forms of one answer."""

    def __init__(self, parts: services.Services, path: str) -> None:
        self._blobs = parts.blobs
        self._path = path

    def ensure(self, receipt: drop_folder.Receipt) -> None:
        self._blobs.ensure(_RESULTS, f"{self._path}.txt", text(receipt).encode(), content_type=_TEXT)
        self._blobs.ensure(_RESULTS, f"{self._path}.json", _json(receipt), content_type=run_files.JSON)

    def replace(self, receipt: drop_folder.Receipt) -> None:
        self._blobs.replace(_RESULTS, f"{self._path}.txt", text(receipt).encode(), content_type=_TEXT)
        self._blobs.replace(_RESULTS, f"{self._path}.json", _json(receipt), content_type=run_files.JSON)


def _json(value: contract.Contract) -> bytes:
    return run_files.json_text(value).encode()


def _end_receipt(
    parts: services.Services, file: dropped_files.DroppedFile, job: job_store.Job
) -> drop_folder.Receipt:
    manifest = _manifest(parts, job)
    named = manifest.files if manifest else {}
    return _receipt(
        file,
        job_id=job.job_id,
        status=job.status,
        error=job.error,
        results_path=blobs.results_prefix(tenant_id=job.tenant_id, job_id=job.job_id),
        files={name: parts.blobs.url(_RESULTS, path) for name, path in sorted(named.items())},
    )


def _manifest(parts: services.Services, job: job_store.Job) -> results.RunManifest | None:
    path = blobs.run_manifest_path(tenant_id=job.tenant_id, job_id=job.job_id, run=job.run)
    try:
        data = parts.blobs.read(blobs.BlobReference(container=_RESULTS, path=path))
    except errors.BlobMissingError:
        return None
    return results.RunManifest.model_validate_json(data)


def _receipt(file: dropped_files.DroppedFile, **facts: object) -> drop_folder.Receipt:
    return drop_folder.Receipt.model_validate(
        {"file": file.version.path, "etag": file.version.etag, "written_at": datetime.now(UTC)} | facts
    )


def _receipt_path(file: dropped_files.DroppedFile) -> str:
    one = file.version
    return drop_folder.receipt_path(tenant_id=one.tenant_id, path=one.path, etag=one.etag)


def _rejection_path(file: dropped_files.DroppedFile, manifest_etag: str | None) -> str:
    one = file.version
    return drop_folder.rejection_path(
        tenant_id=one.tenant_id, path=one.path, etag=one.etag, manifest_etag=manifest_etag
    )


def text(receipt: drop_folder.Receipt) -> str:
    """For people."""
    lines = [f"File: {receipt.file}"]
    if receipt.rejection:
        lines += [f"Not done: {receipt.rejection.message}", f"({receipt.rejection.code})"]
    if receipt.job_id:
        lines.append(f"Job: {receipt.job_id}")
    if receipt.status:
        lines.append(f"Status: {receipt.status}")
    if receipt.error:
        lines.append(f"Why: {receipt.error.message}")
    if receipt.files:
        lines += ["", "Results:", *(f"  {name}  {url}" for name, url in receipt.files.items())]
    return "\n".join(lines) + "\n"
