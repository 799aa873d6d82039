"""What the function app is made of, built once and passed down."""

import asyncio
import threading
from dataclasses import dataclass

from function_app import blobs, queues, settings
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

    @property
    def built(self) -> Services | None:
        """Without waiting for somebody who is building them."""
        return self._services

    def current(self) -> Services:
        with self._lock:
            if self._services is None:
                self._services = build(settings.read())
            return self._services

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

    store = postgres.connect(read)
    store.migrate()
    blob_store = blobs_azure.connect(read)
    blob_store.create_containers()
    return Services(settings=read, store=store, blobs=blob_store, sender=queues_service_bus.connect(read))


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
