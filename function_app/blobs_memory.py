"""Blob storage's twin in memory, for tests without a server; it keeps the same promises."""

import hashlib
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from contracts import blobs
from function_app import errors
from function_app.blobs import BlobFacts


@dataclass(frozen=True, kw_only=True)
class _Stored:
    data: bytes
    etag: str
    content_type: str
    written_at: datetime
    hashed: bool


class MemoryBlobStore:
    """Any thread may use it; every method is atomic."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blobs: dict[tuple[blobs.Container, str], _Stored] = {}
        self._versions = itertools.count(1)
        self.away = False
        """True makes every method raise BlobsUnavailableError."""

    def create_containers(self) -> None:
        """They are always there."""

    def close(self) -> None:
        """There is nothing to close."""

    def put(self, container: blobs.Container, path: str, data: bytes, *, content_type: str = "") -> None:
        """What a client does with an upload URL: overwrites, and nobody knows the hash."""
        with self._lock:
            self._blobs[container, path] = self._stored(data, content_type, hashed=False)

    def facts(self, container: blobs.Container, path: str) -> BlobFacts | None:
        self.ping()
        with self._lock:
            stored = self._blobs.get((container, path))
        if stored is None:
            return None
        return BlobFacts(
            reference=_reference(container, path, stored),
            size_bytes=len(stored.data),
            content_type=stored.content_type,
            last_modified=stored.written_at,
        )

    def read(self, reference: blobs.BlobReference) -> bytes:
        self.ping()
        with self._lock:
            stored = self._blobs.get((reference.container, reference.path))
        if stored is None:
            raise errors.BlobMissingError
        if reference.etag not in (None, stored.etag):
            raise errors.BlobChangedError
        return stored.data

    def create(
        self, container: blobs.Container, path: str, data: bytes, *, content_type: str
    ) -> blobs.BlobReference:
        self.ping()
        with self._lock:
            if (container, path) in self._blobs:
                raise errors.BlobExistsError
            stored = self._stored(data, content_type, hashed=True)
            self._blobs[container, path] = stored
        return _reference(container, path, stored)

    def ensure(
        self, container: blobs.Container, path: str, data: bytes, *, content_type: str
    ) -> blobs.BlobReference:
        try:
            return self.create(container, path, data, content_type=content_type)
        except errors.BlobExistsError:
            existing = self.facts(container, path)
            if existing is None:
                raise errors.BlobsUnavailableError from None
            return existing.reference

    def replace(
        self, container: blobs.Container, path: str, data: bytes, *, content_type: str
    ) -> blobs.BlobReference:
        self.ping()
        with self._lock:
            stored = self._stored(data, content_type, hashed=True)
            self._blobs[container, path] = stored
        return _reference(container, path, stored)

    def listed(self, container: blobs.Container) -> Iterator[blobs.BlobReference]:
        for path in self.paths(container, ""):
            found = self.facts(container, path)
            if found is not None:
                yield found.reference

    def paths(self, container: blobs.Container, prefix: str) -> Iterator[str]:
        self.ping()
        with self._lock:
            found = sorted(
                path for where, path in self._blobs if where == container and path.startswith(prefix)
            )
        yield from found

    def delete_prefix(self, container: blobs.Container, prefix: str) -> int:
        found = list(self.paths(container, prefix))
        with self._lock:
            return sum(self._blobs.pop((container, path), None) is not None for path in found)

    def delete_older(self, container: blobs.Container, *, written_before: datetime) -> int:
        self.ping()
        with self._lock:
            old = [
                key
                for key, stored in self._blobs.items()
                if key[0] == container and stored.written_at < written_before
            ]
            for key in old:
                del self._blobs[key]
        return len(old)

    def upload_url(
        self, container: blobs.Container, path: str, *, lifetime: timedelta
    ) -> tuple[str, datetime]:
        self.ping()
        return f"memory://{container}/{path}?may=cw", datetime.now(UTC).replace(microsecond=0) + lifetime

    def read_url(self, container: blobs.Container, path: str, *, lifetime: timedelta, file_name: str) -> str:
        self.ping()
        return (
            f"memory://{container}/{path}?may=r&seconds={lifetime.total_seconds():.0f}&as={quote(file_name)}"
        )

    def url(self, container: blobs.Container, path: str) -> str:
        return f"memory://{container}/{quote(path)}"

    def ping(self) -> None:
        if self.away:
            raise errors.BlobsUnavailableError

    def _stored(self, data: bytes, content_type: str, *, hashed: bool) -> _Stored:
        return _Stored(
            data=data,
            etag=f'"{next(self._versions)}"',
            content_type=content_type or "application/octet-stream",
            written_at=datetime.now(UTC),
            hashed=hashed,
        )


def _reference(container: blobs.Container, path: str, stored: _Stored) -> blobs.BlobReference:
    content_hash = f"sha256:{hashlib.sha256(stored.data).hexdigest()}" if stored.hashed else None
    return blobs.BlobReference(
        container=container,
        path=path,
        etag=stored.etag,
        content_hash=content_hash,
        size_bytes=len(stored.data),
    )
