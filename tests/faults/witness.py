"""Watches the results of steps appear, and sees when one of them is written a second time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from azure.core.exceptions import AzureError
from azure.storage.blob import BlobServiceClient

from contracts import blobs

LOOK_EVERY_SECONDS: Final = 1.0


class Witness:
    """Lists `results` about once a second until the end of the body; storage may be away meanwhile."""

    def __init__(self, storage: BlobServiceClient) -> None:
        self._container = storage.get_container_client(blobs.Container.RESULTS)
        self._seen: dict[str, str] = {}
        self._rewritten: dict[str, tuple[str, str]] = {}
        self._vanished: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="witness", daemon=True)
        self.looks = 0
        """How often storage answered."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def look(self) -> None:
        """Once. Raises AzureError."""
        listed = {
            blob.name: blob.etag or ""
            for blob in self._container.list_blobs(timeout=5)
            if "/steps/" in blob.name
        }
        for name, etag in listed.items():
            before = self._seen.setdefault(name, etag)
            if before != etag:
                self._rewritten[name] = (before, etag)
        self._vanished = self._seen.keys() - listed.keys()
        self.looks += 1

    def differences(self) -> Iterator[str]:
        """A sentence for each result that did not stay as it was first seen."""
        for name, (before, after) in sorted(self._rewritten.items()):
            yield f"{name} was written twice: its ETag was {before} and became {after}."
        for name in sorted(self._vanished):
            yield f"{name} was there and is gone."

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_EVERY_SECONDS):
            try:
                self.look()
            except AzureError:
                continue  # storage is being killed: the next look sees what it kept
