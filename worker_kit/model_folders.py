"""Models in folders, and under the names that people use for them."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from contracts.errors import ErrorCode
from worker_kit import errors

WHISPER_REPOSITORIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tiny": "Systran/faster-whisper-tiny",
        "base": "Systran/faster-whisper-base",
        "small": "Systran/faster-whisper-small",
        "medium": "Systran/faster-whisper-medium",
        "large-v2": "Systran/faster-whisper-large-v2",
        "large-v3": "Systran/faster-whisper-large-v3",
        "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
        "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    }
)
"""The conversions that faster-whisper itself uses for these names."""


_HASH: Final = "sha256:"


class ModelChangedError(errors.WorkerError):
    """The model's files were changed while it was loaded."""

    code = ErrorCode.MODEL_UNAVAILABLE
    retryable = True


def revision_of(folder: Path) -> str:
    """`sha256:` and the hash over names and contents of the folder's files: pins a model without a hub."""
    total = hashlib.sha256()
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        with file.open("rb") as content:
            total.update(f"{file.name}\0{hashlib.file_digest(content, 'sha256').hexdigest()}\0".encode())
    return f"{_HASH}{total.hexdigest()}"


def check_unchanged(folder: Path | None, revision: str) -> None:
    """After loading: what was loaded is what was pinned. Raises ModelChangedError.

    Models that are pinned by something else than their content never change.
    """
    if folder is not None and revision.startswith(_HASH) and revision_of(folder) != revision:
        raise ModelChangedError
