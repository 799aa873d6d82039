"""Blobs in memory: the twin that passes the same contract tests as Blob Storage."""

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from contracts import blobs
from worker_kit import errors
from worker_kit.blobs import BLOCK_BYTES, content_hash


class MemoryBlobStore:
    """Thread-safe. `available = False` makes every method raise BlobsUnavailableError."""

    def __init__(self) -> None:
        self.available = True
        self.content_types: dict[tuple[blobs.Container, str], str] = {}
        self._blobs: dict[tuple[blobs.Container, str], tuple[str, bytes]] = {}
        self._versions = itertools.count(1)
        self._lock = threading.Lock()

    def find(self, container: blobs.Container, path: str) -> blobs.BlobReference | None:
        stored = self._stored(container, path)
        if stored is None:
            return None
        etag, data = stored
        return blobs.BlobReference(
            container=container,
            path=path,
            etag=etag,
            content_hash=content_hash(data),
            size_bytes=len(data),
        )

    def read(self, reference: blobs.BlobReference) -> bytes:
        stored = self._stored(reference.container, reference.path)
        if stored is None:
            raise errors.BlobMissingError(reference.container, reference.path)
        etag, data = stored
        if reference.etag not in (None, etag) or reference.content_hash not in (None, content_hash(data)):
            raise errors.BlobChangedError(reference.container, reference.path)
        return data

    def download(
        self,
        reference: blobs.BlobReference,
        target: Path,
        *,
        largest_bytes: int | None = None,
        on_block: Callable[[int], None] | None = None,
    ) -> blobs.BlobReference:
        data = self.read(reference)
        if largest_bytes is not None and len(data) > largest_bytes:
            raise errors.BlobTooLargeError(reference.container, reference.path)
        with target.open("xb") as file:
            for start in range(0, len(data), BLOCK_BYTES):
                written = start + file.write(data[start : start + BLOCK_BYTES])
                if on_block is not None:
                    on_block(written)
        found = self.find(reference.container, reference.path)
        if found is None:
            raise errors.BlobMissingError(reference.container, reference.path)
        return found

    def create(
        self, container: blobs.Container, path: str, data: bytes | Path, *, content_type: str
    ) -> blobs.BlobReference:
        content = data if isinstance(data, bytes) else data.read_bytes()
        self._raise_if_unavailable()
        with self._lock:
            if (container, path) in self._blobs:
                raise errors.BlobExistsError(container, path)
            self._write(container, path, content)
            self.content_types[container, path] = content_type
        return self._reference(container, path)

    def ensure(
        self, container: blobs.Container, path: str, data: bytes | Path, *, content_type: str
    ) -> blobs.BlobReference:
        try:
            return self.create(container, path, data, content_type=content_type)
        except errors.BlobExistsError:
            return self._reference(container, path)

    def paths(self, container: blobs.Container, prefix: str) -> Iterator[str]:
        self._raise_if_unavailable()
        with self._lock:
            yield from sorted(
                path for where, path in self._blobs if where is container and path.startswith(prefix)
            )

    def ping(self) -> None:
        self._raise_if_unavailable()

    def put(self, container: blobs.Container, path: str, data: bytes) -> blobs.BlobReference:
        """Writes or overwrites, as somebody other than a worker may."""
        with self._lock:
            self._write(container, path, data)
        return self._reference(container, path)

    def delete(self, container: blobs.Container, path: str) -> None:
        """Deletes, as the end of a job does."""
        with self._lock:
            self._blobs.pop((container, path), None)

    def _stored(self, container: blobs.Container, path: str) -> tuple[str, bytes] | None:
        self._raise_if_unavailable()
        with self._lock:
            return self._blobs.get((container, path))

    def _write(self, container: blobs.Container, path: str, data: bytes) -> None:
        self._blobs[container, path] = (f'"{next(self._versions)}"', data)

    def _reference(self, container: blobs.Container, path: str) -> blobs.BlobReference:
        found = self.find(container, path)
        if found is None:
            raise errors.BlobMissingError(container, path)
        return found

    def _raise_if_unavailable(self) -> None:
        if not self.available:
            raise errors.BlobsUnavailableError
