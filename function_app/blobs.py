"""Blob storage as the function app uses it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from contracts import blobs


@dataclass(frozen=True, kw_only=True)
class BlobFacts:
    """What a HEAD tells."""

    reference: blobs.BlobReference
    size_bytes: int
    content_type: str
    last_modified: datetime


class BlobStore(Protocol):
    """Blocking; every method raises BlobsUnavailableError when storage does not answer in time."""

    def facts(self, container: blobs.Container, path: str) -> BlobFacts | None:
        """None when there is no such blob (uncommitted blocks do not count)."""

    def read(self, reference: blobs.BlobReference) -> bytes:
        """Whole, with If-Match when the reference has an ETag. Raises BlobMissingError, BlobChangedError."""

    def create(
        self, container: blobs.Container, path: str, data: bytes, *, content_type: str
    ) -> blobs.BlobReference:
        """Written once (If-None-Match: *), with its content hash. Raises BlobExistsError."""

    def ensure(
        self, container: blobs.Container, path: str, data: bytes, *, content_type: str
    ) -> blobs.BlobReference:
        """As create, but answers the existing blob's reference when there is one."""

    def replace(
        self, container: blobs.Container, path: str, data: bytes, *, content_type: str
    ) -> blobs.BlobReference:
        """As create, but overwrites what is there."""

    def paths(self, container: blobs.Container, prefix: str) -> Iterator[str]:
        """Every blob's path under the prefix."""

    def listed(self, container: blobs.Container) -> Iterator[blobs.BlobReference]:
        """Every blob of the container in the version that it has now."""

    def delete_prefix(self, container: blobs.Container, prefix: str) -> int:
        """Deletes what is there, however often it is called; the number of blobs deleted."""

    def delete_older(self, container: blobs.Container, *, written_before: datetime) -> int:
        """Deletes what was last written before that moment; the number of blobs deleted."""

    def upload_url(
        self, container: blobs.Container, path: str, *, lifetime: timedelta
    ) -> tuple[str, datetime]:
        """A URL that may create and write this one blob, and when it ends."""

    def read_url(self, container: blobs.Container, path: str, *, lifetime: timedelta, file_name: str) -> str:
        """A URL that may read this one blob; browsers save it as `file_name`."""

    def url(self, container: blobs.Container, path: str) -> str:
        """Where the blob is; whoever reads it needs rights of their own."""

    def ping(self) -> None:
        """Raises BlobsUnavailableError."""
