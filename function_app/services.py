"""What the function app is made of, built once and passed down."""

import asyncio
import contextlib
import threading
import time
from dataclasses import dataclass

from function_app import blobs, errors, queues, settings
from function_app.store import job_store


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything outside the function app, behind its protocols."""

    settings: settings.Settings
    store: job_store.JobStore
    blobs: blobs.BlobStore
    sender: queues.StepSender


class _Holder:
    """The process's one Services: functions are called by the host, which passes nothing of ours."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._services: Services | None = None
        self._failure: errors.FunctionAppError | None = None
        self._failed_at = 0.0

    @property
    def built(self) -> Services | None:
        """Without waiting for somebody who is building them."""
        return self._services

    def current(self) -> Services:
        came_at = time.monotonic()
        with self._lock:
            # A try takes seconds while something is away: who has waited for one that failed makes no other.
            if self._failure is not None and self._failed_at > came_at:
                raise self._failure
            if self._services is None:
                self._services = self._built()
            return self._services

    def _built(self) -> Services:
        try:
            return build(settings.read())
        except errors.FunctionAppError as error:
            self._failure, self._failed_at = error, time.monotonic()
            raise

    def use(self, services: Services | None) -> None:
        with self._lock:
            self._services = services


def build(read: settings.Settings) -> Services:
    """The real ones: the store migrated and the containers there.

    Raises StoreUnavailableError or BlobsUnavailableError when it cannot be: the next call tries again.
    """
    # Only a process that really builds them needs the Azure SDKs and a database driver.
    from function_app import blobs_azure, queues_service_bus
    from function_app.store import postgres

    with contextlib.ExitStack() as undo:
        store = postgres.connect(read)
        undo.callback(store.close)
        store.migrate()
        blob_store = blobs_azure.connect(read)
        undo.callback(blob_store.close)
        blob_store.create_containers()
        built = Services(
            settings=read, store=store, blobs=blob_store, sender=queues_service_bus.connect(read)
        )
        # Only what failed half-way is closed: PostgreSQL has few connections to lose.
        undo.pop_all()
    return built


_holder = _Holder()


def current() -> Services:
    """This process's services, built from its settings at the first call; any thread may ask."""
    return _holder.current()


async def ready() -> Services:
    """As `current`, for the event loop: putting them together takes seconds and blocks."""
    built = _holder.built
    return await asyncio.to_thread(_holder.current) if built is None else built


def use(services: Services | None) -> None:
    """For tests: what `current` answers from now on; None lets it build from the settings again."""
    _holder.use(services)
