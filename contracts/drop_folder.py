"""The drop folder: what may lie beside a file, and what is answered to it."""

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import Field

from contracts.api import Glossary
from contracts.contract import SCHEMA_VERSION, Contract, SchemaVersion
from contracts.jobs import JobStatus, Priority, Workflow
from contracts.results import RunError

MANIFEST_SUFFIX: Final = ".job.json"
"""`meeting.mp3.job.json` says what is wanted of `meeting.mp3`, in the same folder."""

_LONGEST_ANSWER_FOLDER: Final = 900
"""Blob names have at most 1,024 characters, and files come below this."""


class Manifest(Contract):
    """NAME.job.json: everything may be left out."""

    workflow: Workflow = Workflow.FULL_PIPELINE
    source_language: str | None = None
    """BCP-47. Left out, the language is identified; `transcribe_only` needs it."""
    target_language: str = "en"
    """BCP-47, of the translation and the summary."""
    priority: Priority = Priority.NORMAL
    metadata: dict[str, str] = Field(default_factory=dict)
    """Comes back with the job."""
    glossary: Glossary = Field(default_factory=dict)
    """How translations render these words of the recording."""


class RejectionCode(StrEnum):
    """Why a dropped file did not become a job."""

    FILE_EMPTY = "file_empty"
    FILE_TOO_LARGE = "file_too_large"
    FILE_NAME_NOT_ALLOWED = "file_name_not_allowed"
    MANIFEST_TOO_LARGE = "manifest_too_large"
    MANIFEST_NOT_TEXT = "manifest_not_text"
    MANIFEST_NOT_JSON = "manifest_not_json"
    MANIFEST_NOT_AN_OBJECT = "manifest_not_an_object"
    MANIFEST_UNKNOWN_OPTION = "manifest_unknown_option"
    MANIFEST_INVALID_OPTION = "manifest_invalid_option"
    MANIFEST_TOO_LATE = "manifest_too_late"


class Rejection(Contract):
    """Why, and what to do."""

    code: RejectionCode
    message: str


class Receipt(Contract):
    """What became of a dropped file; in `results`, as JSON and as plain text."""

    schema_version: SchemaVersion = SCHEMA_VERSION
    file: str
    """Its path in `drop-folder`."""
    etag: str
    """Of the version that this is about."""
    written_at: datetime
    job_id: str | None = None
    """None for a file that was rejected."""
    status: JobStatus | None = None
    rejection: Rejection | None = None
    error: RunError | None = None
    """Why the job failed."""
    results_path: str | None = None
    """Of the job's own folder in `results`."""
    files: dict[str, str] = Field(default_factory=dict)
    """File names to their URLs, without a signature: reading them takes one's own rights."""


def file_version(etag: str) -> str:
    """Names a version of a file in paths."""
    return hashlib.sha256(etag.encode()).hexdigest()[:12]


def answer_folder(*, tenant_id: str, path: str) -> str:
    """Where, in `results`, the answers to a dropped file lie; a path that is too long goes by its hash."""
    name = path if len(path) <= _LONGEST_ANSWER_FOLDER else hashlib.sha256(path.encode()).hexdigest()
    return f"{tenant_id}/drop-folder/{name}/"


def receipt_path(*, tenant_id: str, path: str, etag: str) -> str:
    """Without its ending, .json or .txt."""
    return f"{answer_folder(tenant_id=tenant_id, path=path)}receipt-{file_version(etag)}"


def rejection_path(*, tenant_id: str, path: str, etag: str, manifest_etag: str | None) -> str:
    """Without its ending: one for each version of the file and of its manifest."""
    version = file_version(f"{etag}{manifest_etag or ''}")
    return f"{answer_folder(tenant_id=tenant_id, path=path)}rejection-{version}"
