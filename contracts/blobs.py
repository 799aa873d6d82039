"""Where blobs lie, and how one is referred to."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from contracts.contract import Contract
from contracts.steps import Step


class Container(StrEnum):
    """Blob containers; only the first two have triggers."""

    AUDIO_FILES = "audio-files"
    DROP_FOLDER = "drop-folder"
    WORK = "work"
    RESULTS = "results"


class BlobReference(Contract):
    """One blob in one version."""

    container: Container
    path: str
    etag: str | None = None
    """Readers pass it as If-Match: a blob that was overwritten is an error, not another input."""
    content_hash: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    """None only for an upload that nobody has read yet."""
    size_bytes: int | None = None


def source_path(*, tenant_id: str, job_id: str) -> str:
    """The upload, in `audio-files`. The file's own name lives in the store, never in a path."""
    return f"{tenant_id}/{job_id}/source"


def work_prefix(*, tenant_id: str, job_id: str) -> str:
    """Everything in `work` that goes when the job ends."""
    return f"{tenant_id}/{job_id}/"


def chunk_audio_path(*, tenant_id: str, job_id: str, plan_key: str, chunk: int) -> str:
    """A chunk's FLAC, in `work`; under the plan's key, so that another plan overwrites nothing."""
    return f"{work_prefix(tenant_id=tenant_id, job_id=job_id)}{plan_key}/chunk-{chunk:05d}.flac"


def cancel_marker_path(*, tenant_id: str, job_id: str, run: int) -> str:
    """An empty blob in `work`: workers stop working on the run when they see it."""
    return f"{work_prefix(tenant_id=tenant_id, job_id=job_id)}cancelled-{run}"


def results_prefix(*, tenant_id: str, job_id: str) -> str:
    """Everything that the job has in `results`."""
    return f"{tenant_id}/{job_id}/"


def step_result_path(*, tenant_id: str, job_id: str, step: Step, key: str, chunk: int | None = None) -> str:
    """A step's result in `results`, written once (If-None-Match: *)."""
    name = key if chunk is None else f"{chunk:05d}-{key}"
    return f"{results_prefix(tenant_id=tenant_id, job_id=job_id)}steps/{step}/{name}.json"


def run_manifest_path(*, tenant_id: str, job_id: str, run: int) -> str:
    """Names the keys and the files that a run used."""
    return f"{results_prefix(tenant_id=tenant_id, job_id=job_id)}runs/{run}.json"


def run_file_path(*, tenant_id: str, job_id: str, run: int, name: str) -> str:
    """A file for people, such as `transcript.srt`."""
    return f"{results_prefix(tenant_id=tenant_id, job_id=job_id)}runs/{run}/{name}"
