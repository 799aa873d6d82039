"""Whether the worker can work, and what is missing."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final

import structlog

from worker_kit import errors
from worker_kit.backoff import set_within
from worker_kit.blobs import BlobStore
from worker_kit.queues import WorkQueue
from worker_kit.threads import run_in_thread

log = structlog.get_logger()

OK: Final = "ok"


class Check(StrEnum):
    """What has to be right."""

    MODEL = "model"
    QUEUE = "queue"
    STORAGE = "storage"
    RECEIVING = "receiving"


class Readiness:
    """The latest of every check. Safe to read from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._checks = {
            Check.MODEL: "loading",
            Check.QUEUE: "not asked yet",
            Check.STORAGE: "not asked yet",
            Check.RECEIVING: "not begun",
        }

    def note(self, check: Check, state: str = OK) -> None:
        """Logs a change."""
        with self._lock:
            changed = self._checks[check] != state
            self._checks[check] = state
        if changed:
            log.info("readiness_changed", check=check, state=state)

    def checks(self) -> dict[str, str]:
        """Check to `ok`, or to what is wrong."""
        with self._lock:
            return {check.value: state for check, state in self._checks.items()}

    def ready(self) -> bool:
        """True when all is well."""
        return all(state == OK for state in self.checks().values())


async def watch(
    readiness: Readiness,
    *,
    queue: WorkQueue,
    blob_store: BlobStore,
    every_seconds: float,
    stop: asyncio.Event,
) -> None:
    """Looks at queue and storage until `stop`: every `every_seconds`, and each second while one is away."""

    async def ping_storage() -> None:
        await run_in_thread(blob_store.ping, name="ping-storage")

    while True:
        await asyncio.gather(
            _look(readiness, Check.QUEUE, queue.ping), _look(readiness, Check.STORAGE, ping_storage)
        )
        checks = readiness.checks()
        both_ok = checks[Check.QUEUE] == checks[Check.STORAGE] == OK
        if await set_within(stop, every_seconds if both_ok else min(1.0, every_seconds)):
            readiness.note(Check.RECEIVING, "draining")
            return


async def _look(readiness: Readiness, check: Check, ping: Callable[[], Awaitable[None]]) -> None:
    try:
        await ping()
    except (errors.QueueUnavailableError, errors.BlobsUnavailableError) as error:
        readiness.note(check, str(error))
    else:
        readiness.note(check)
