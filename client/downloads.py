"""A job's files to a folder."""

from __future__ import annotations

from pathlib import Path

import httpx

from client import connection, errors, retries
from contracts import api


def save(server: connection.Connection, results: api.JobResults, directory: Path) -> list[Path]:
    """Each file under its own name in `directory`; an older one is replaced once the new one is whole.

    Raises DownloadFailedError.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return [
            _save(server, url, directory / _plain(name), job_id=results.job_id)
            for name, url in sorted(results.files.items())
        ]
    except OSError as error:
        raise errors.DownloadFailedError(
            f"The files of job {results.job_id} cannot be written to {directory}: {error.strerror}.",
            job_id=results.job_id,
        ) from error


def _plain(name: str) -> str:
    """A file name that stays in its folder, whatever the server says."""
    plain = Path(name).name
    if plain in ("", ".", ".."):
        raise errors.UnexpectedAnswerError(f"The server names a file {name!r}.")
    return plain


def _save(server: connection.Connection, url: str, path: Path, *, job_id: str) -> Path:
    try:
        response = server.retrying(
            lambda: server.http.get(url),
            again=(httpx.TransportError,),
            busy=retries.STORAGE_BUSY_STATUSES,
        )
        response.raise_for_status()
    except httpx.HTTPError as error:
        raise errors.DownloadFailedError(
            f"{path.name} of job {job_id} could not be read: {_reason(error)}. "
            "Its link is good for an hour: ask for the results again.",
            job_id=job_id,
        ) from error
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(response.content)
    return partial.replace(path)


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"storage answered {error.response.status_code}"
    return "storage does not answer"
