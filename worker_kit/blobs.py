"""Blob storage as a worker uses it."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from contracts import blobs

BLOCK_BYTES: Final = 1024 * 1024
"""How much of a blob is in memory at once while it is hashed or copied."""


class BlobStore(Protocol):
    """Blocking, and safe to share between threads.

    Every method raises BlobsUnavailableError when storage does not answer within bounded retries.
    """

    def find(self, container: blobs.Container, path: str) -> blobs.BlobReference | None:
        """The blob as it is now: ETag, size, and content hash if a worker wrote it. None: there is none."""

    def read(self, reference: blobs.BlobReference) -> bytes:
        """The whole blob, in the version that the reference names.

        Raises BlobMissingError; BlobChangedError when its ETag or content hash is another.
        """

    def download(
        self,
        reference: blobs.BlobReference,
        target: Path,
        *,
        largest_bytes: int | None = None,
        on_block: Callable[[int], None] | None = None,
    ) -> blobs.BlobReference:
        """Streams the blob to a new file; answers its reference with ETag, content hash and size.

        `on_block` gets the bytes written so far, after each block; what it raises ends the download.
        Raises as `read`, and BlobTooLargeError before anything is transferred.
        """

    def create(
        self, container: blobs.Container, path: str, data: bytes | Path, *, content_type: str
    ) -> blobs.BlobReference:
        """Written once (If-None-Match: *) from memory or from a file. Raises BlobExistsError."""

    def ensure(
        self, container: blobs.Container, path: str, data: bytes | Path, *, content_type: str
    ) -> blobs.BlobReference:
        """As `create`, but answers the blob that is there when there is one: the first writer wins."""

    def paths(self, container: blobs.Container, prefix: str) -> Iterator[str]:
        """Every blob's path under the prefix, sorted."""

    def ping(self) -> None:
        """Raises BlobsUnavailableError when the containers that workers write to cannot be reached."""


def content_hash(data: bytes | Path) -> str:
    """`sha256:` and hex digits, as BlobReference wants it."""
    if isinstance(data, bytes):
        return f"sha256:{hashlib.sha256(data).hexdigest()}"
    with data.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
