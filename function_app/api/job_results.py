"""GET /jobs/{id}/results: the run's manifest, and the blobs that it names, in one answer."""

from datetime import timedelta
from typing import Final, TypeVar

import structlog

from contracts import api, blobs, contract, jobs, results, steps
from function_app import errors, services
from function_app.api import views
from function_app.store import job_store

log = structlog.get_logger(__name__)

T = TypeVar("T", bound=contract.Contract)

TRANSCRIPT_FILE: Final = "transcript.json"

_WITHOUT_MANIFEST: Final = frozenset({jobs.JobStatus.FAILED, jobs.JobStatus.CANCELLED})
"""They may have ended before anything was made."""


def of_job(parts: services.Services, job: job_store.Job) -> api.JobResults:
    """What the job's current run has left. Raises JobNotFinishedError and NoResultsError."""
    if job.status not in jobs.TERMINAL:
        raise errors.JobNotFinishedError(job_id=job.job_id, status=job.status)
    manifest = _manifest(parts, job)
    if manifest is None and job.status not in _WITHOUT_MANIFEST:
        raise errors.NoResultsError(job_id=job.job_id, status=job.status)
    return _Reader(parts, job).everything(manifest)


def transcript_of(parts: services.Services, job: job_store.Job) -> results.Transcript | None:
    """The transcript of the job's current run; None when it has none."""
    manifest = _manifest(parts, job)
    path = manifest.files.get(TRANSCRIPT_FILE) if manifest else None
    if path is None:
        return None
    try:
        data = parts.blobs.read(blobs.BlobReference(container=blobs.Container.RESULTS, path=path))
    except errors.BlobMissingError:
        return None
    return results.Transcript.model_validate_json(data)


def _manifest(parts: services.Services, job: job_store.Job) -> results.RunManifest | None:
    path = blobs.run_manifest_path(tenant_id=job.tenant_id, job_id=job.job_id, run=job.run)
    try:
        data = parts.blobs.read(blobs.BlobReference(container=blobs.Container.RESULTS, path=path))
    except errors.BlobMissingError:
        return None
    return results.RunManifest.model_validate_json(data)


class _Reader:
    """Reads what a manifest names; what has been removed meanwhile becomes a warning."""

    def __init__(self, parts: services.Services, job: job_store.Job) -> None:
        self._parts = parts
        self._job = job
        self._warnings: list[str] = []

    def everything(self, manifest: results.RunManifest | None) -> api.JobResults:
        job = self._job
        transcript = self._file(manifest, TRANSCRIPT_FILE, results.Transcript)
        translation = self._step(manifest, steps.Step.TRANSLATE, results.Translation)
        summary = self._step(manifest, steps.Step.SUMMARIZE, results.Summary)
        return api.JobResults(
            job_id=job.job_id,
            run=job.run,
            status=job.status,
            workflow=job.workflow,
            language=job.language,
            language_confidence=job.language_confidence,
            duration_seconds=job.duration_seconds,
            transcript=transcript,
            translation=translation,
            summary=summary,
            files=self._links(manifest),
            steps=views.of_steps(job),
            errors=_errors(job, manifest),
            warnings=(*(manifest.warnings if manifest else ()), *self._warnings),
        )

    def _file(self, manifest: results.RunManifest | None, name: str, model: type[T]) -> T | None:
        if manifest is None or name not in manifest.files:
            return None
        return self._read(manifest.files[name], name, model)

    def _step(self, manifest: results.RunManifest | None, step: steps.Step, model: type[T]) -> T | None:
        keys = manifest.keys.get(step, ()) if manifest else ()
        if not keys:
            return None
        path = blobs.step_result_path(
            tenant_id=self._job.tenant_id, job_id=self._job.job_id, step=step, key=keys[0]
        )
        return self._read(path, f"The result of {step}", model)

    def _read(self, path: str, name: str, model: type[T]) -> T | None:
        reference = blobs.BlobReference(container=blobs.Container.RESULTS, path=path)
        try:
            return model.model_validate_json(self._parts.blobs.read(reference))
        except errors.BlobMissingError:
            log.warning("result_missing", job_id=self._job.job_id, path=path)
            self._warnings.append(f"{name} is no longer there.")
            return None

    def _links(self, manifest: results.RunManifest | None) -> dict[str, str]:
        lifetime = timedelta(minutes=self._parts.settings.read_url_minutes)
        return {
            name: self._parts.blobs.read_url(blobs.Container.RESULTS, path, lifetime=lifetime, file_name=name)
            for name, path in sorted((manifest.files if manifest else {}).items())
        }


def _errors(job: job_store.Job, manifest: results.RunManifest | None) -> tuple[api.ErrorView, ...]:
    """All that went wrong, each once: what ended the run first."""
    found = [job.error, *(manifest.errors if manifest else ()), *(one.error for one in job.steps)]
    shown = (views.of_error(error) for error in found if error is not None)
    return tuple(dict.fromkeys(shown))
