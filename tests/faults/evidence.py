"""What a job left behind: its view, its results, and its blobs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from azure.storage.blob import BlobServiceClient

import client
from client import errors
from contracts import api, blobs
from tests.faults import histories, workload

TENANT: Final = "default"

_OF_THE_JOB: Final = {"job_id", "files", "steps"}
"""Fields of the results that name the job, or that are compared apart."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A blob as it lies there."""

    etag: str
    content_hash: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One job, after its end."""

    job_id: str
    kind: str
    view: api.JobView
    results: api.JobResults | None
    blobs: Mapping[str, Stored]
    """Everything in `results` by its path without tenant and job."""
    histories: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What `histories.read` tells of its orchestrations."""

    def comparable(self) -> dict[str, Any]:
        """What must be the same for every job of the kind."""
        return {
            "status": self.view.status.value,
            "error": None if self.view.error is None else self.view.error.model_dump(mode="json"),
            "steps": {step.step.value: _ended(step) for step in self.view.steps},
            "results": None if self.results is None else _without(self.results, _OF_THE_JOB),
            "orchestrations": {name: dict.fromkeys(told, "told") for name, told in self.histories.items()},
            "files": [] if self.results is None else sorted(self.results.files),
        }


def collect(speech: client.SpeechFlow, storage: BlobServiceClient, submitted: workload.Submitted) -> Evidence:
    """Of a job that has ended; everything is read from the API, Durable and storage."""
    view = speech.get(submitted.job_id)
    try:
        results = speech.results(submitted.job_id)
    except (errors.ConflictError, errors.NotFoundError):
        results = None
    return Evidence(
        job_id=submitted.job_id,
        kind=submitted.kind.name,
        view=view,
        results=results,
        blobs=_blobs(storage, submitted.job_id),
        histories=histories.read(speech.url, submitted.job_id),
    )


def _blobs(storage: BlobServiceClient, job_id: str) -> dict[str, Stored]:
    prefix = blobs.results_prefix(tenant_id=TENANT, job_id=job_id)
    container = storage.get_container_client(blobs.Container.RESULTS)
    found = {}
    for name in sorted(container.list_blob_names(name_starts_with=prefix)):
        download = container.download_blob(name)
        digest = hashlib.sha256(download.readall()).hexdigest()
        found[name.removeprefix(prefix)] = Stored(etag=download.properties.etag or "", content_hash=digest)
    return found


def _ended(step: api.StepView) -> dict[str, Any]:
    """Attempts and moments are not compared: a fault may cost an attempt and takes its time."""
    ended = _without(step, {"step", "attempt", "started_at", "finished_at"})
    # A sum of floats, in the order in which the chunks happened to end.
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in ended.items()}


def _without(value: api.StepView | api.JobResults, fields: set[str]) -> dict[str, Any]:
    return value.model_dump(mode="json", exclude=fields)
