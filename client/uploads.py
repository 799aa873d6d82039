"""A file to the blob that a job waits for: one PUT, or blocks that are each sent again when they fail."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final
from xml.etree import ElementTree as Xml

import httpx

from client import connection, errors, retries
from contracts import api

OnBytes = Callable[[int], None]
"""Is told the number of bytes sent so far; it may go back when a block is sent again."""

SINGLE_PUT_BYTES: Final = 16 * 1024 * 1024
BLOCK_BYTES: Final = 8 * 1024 * 1024
MOST_BLOCKS: Final = 50_000
"""Azure's limit for one blob."""
READ_BYTES: Final = 256 * 1024

_NEVER_OVER: Final = {"if-none-match": "*"}
"""A job reads the version of the blob with which it began: the same file sent again, because the answer was
lost, would be another version, and the job would fail."""


def ignore(sent_bytes: int) -> None:
    """For callers who show no progress."""


def upload(
    server: connection.Connection,
    path: Path,
    created: api.JobCreated,
    *,
    on_bytes: OnBytes = ignore,
    single_put_bytes: int = SINGLE_PUT_BYTES,
    block_bytes: int = BLOCK_BYTES,
) -> None:
    """Put the whole file where the job expects it. Memory stays at about a block's size.

    Raises FileUnreadableError or UploadFailedError.
    """
    uploading = _Upload(server=server, created=created, on_bytes=on_bytes)
    size = size_bytes(path)
    try:
        with path.open("rb") as source:
            if size <= single_put_bytes:
                uploading.single(source, size)
            else:
                uploading.blocks(source, max(block_bytes, -(-size // MOST_BLOCKS)))
    except OSError as error:
        raise errors.FileUnreadableError(path, error.strerror or str(error)) from error


def size_bytes(path: Path) -> int:
    """The file's size. Raises FileUnreadableError."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise errors.FileUnreadableError(path, error.strerror or str(error)) from error
    if not path.is_file():
        raise errors.FileUnreadableError(path, "it is not a file")
    return size


class _Upload:
    """One upload."""

    def __init__(self, *, server: connection.Connection, created: api.JobCreated, on_bytes: OnBytes) -> None:
        self._server = server
        self._created = created
        self._on_bytes = on_bytes

    def single(self, source: BinaryIO, size_bytes: int) -> None:
        # Blob storage refuses chunked bodies: the length must be said.
        headers = {**self._created.upload_headers, **_NEVER_OVER, "content-length": str(size_bytes)}

        def attempt() -> httpx.Response:
            source.seek(0)
            return self._put(self._created.upload_url, self._counted(source, 0, size_bytes), headers)

        self._demand(attempt)

    def blocks(self, source: BinaryIO, block_bytes: int) -> None:
        identifiers: list[str] = []
        sent = 0
        while block := source.read(block_bytes):
            identifiers.append(base64.b64encode(f"{len(identifiers):08d}".encode()).decode())
            self._put_block(identifiers[-1], block)
            sent += len(block)
            self._on_bytes(sent)
        self._commit(identifiers)

    def _put_block(self, identifier: str, block: bytes) -> None:
        url = _with_query(self._created.upload_url, comp="block", blockid=identifier)
        self._demand(lambda: self._put(url, block, {"content-length": str(len(block))}))

    def _commit(self, identifiers: list[str]) -> None:
        url = _with_query(self._created.upload_url, comp="blocklist")
        self._demand(lambda: self._put(url, _block_list(identifiers), self._commit_headers()))

    def _commit_headers(self) -> dict[str, str]:
        headers = {name.lower(): value for name, value in self._created.upload_headers.items()}
        # In a list of blocks the content type is said by another name, and the blob's type is known.
        content_type = headers.pop("content-type", None)
        headers.pop("x-ms-blob-type", None)
        if content_type is not None:
            headers["x-ms-blob-content-type"] = content_type
        return {**headers, **_NEVER_OVER, "content-type": "application/xml"}

    def _put(self, url: str, content: bytes | Iterator[bytes], headers: Mapping[str, str]) -> httpx.Response:
        return self._server.http.put(
            url, content=content, headers=dict(headers), timeout=connection.UPLOAD_TIMEOUT
        )

    def _counted(self, source: BinaryIO, offset: int, limit: int) -> Iterator[bytes]:
        sent = 0
        while sent < limit:
            piece = source.read(min(READ_BYTES, limit - sent))
            if not piece:
                raise OSError(f"it became shorter while it was sent: {sent} of {limit} bytes are there")
            yield piece
            sent += len(piece)
            self._on_bytes(offset + sent)

    def _demand(self, attempt: Callable[[], httpx.Response]) -> None:
        attempts = 0

        def counted() -> httpx.Response:
            nonlocal attempts
            attempts += 1
            return attempt()

        try:
            response = self._server.retrying(
                counted, again=(httpx.TransportError,), busy=retries.STORAGE_BUSY_STATUSES
            )
        except httpx.TransportError as error:
            raise self._failed(f"storage does not answer ({type(error).__name__})") from error
        # An earlier attempt may have arrived although its answer did not.
        arrived_before = attempts > 1 and response.status_code == httpx.codes.CONFLICT
        if not response.is_success and not arrived_before:
            reason = response.headers.get("x-ms-error-code", response.reason_phrase)
            raise self._failed(f"storage answered {response.status_code} {reason}")

    def _failed(self, reason: str) -> errors.UploadFailedError:
        return errors.UploadFailedError(
            f"The upload for job {self._created.job_id} failed: {reason}. Submit the file again.",
            job_id=self._created.job_id,
        )


def _with_query(url: str, **more: str) -> str:
    return str(httpx.URL(url).copy_merge_params(more))


def _block_list(identifiers: list[str]) -> bytes:
    root = Xml.Element("BlockList")
    for identifier in identifiers:
        Xml.SubElement(root, "Latest").text = identifier
    document: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return document
