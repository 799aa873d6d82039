"""The main of every worker."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import structlog

from contracts import queues
from worker_kit import azure_blobs, drain, errors, health, loading, logs, readiness, service_bus, workspaces
from worker_kit.attempts import AttemptRunner
from worker_kit.backoff import Backoff
from worker_kit.blobs import BlobStore
from worker_kit.handlers import StepHandler
from worker_kit.hanging import HangingWork
from worker_kit.metrics import WorkerMetrics
from worker_kit.queues import EventSender, WorkQueue
from worker_kit.readiness import Check, Readiness
from worker_kit.receiver import Receiver
from worker_kit.settings import WorkerSettings
from worker_kit.threads import run_in_thread

log = structlog.get_logger()

EXIT_HANGING: Final = 3


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a worker talks to."""

    queue: WorkQueue
    event_sender: EventSender
    blob_store: BlobStore
    workspace: Path


def run_worker(settings: WorkerSettings, *, queue: queues.Queue, find: loading.Find) -> int:
    """Works until SIGTERM or SIGINT; the process's exit code. Call it from `__main__` alone.

    Loads the models of the handlers that `find` makes, receives from `queue`, and drains when asked to stop.
    Work that does not stop in time is left behind: its message is redelivered, and the process ends without
    waiting for its thread. So it does, with status 3, when work hangs: whoever started the worker starts it
    again. Raises the WorkerError of `find` that is not retryable.
    """
    logs.configure(level=settings.log_level, worker_id=settings.worker_id)
    try:
        with workspaces.process_workspace(settings.workspace_dir) as workspace:
            drained = asyncio.run(_main(settings, queue, find, workspace))
    except errors.WorkHangsError as error:
        log.error("worker_gives_up", code=error.code, reason=str(error))
        _leave(EXIT_HANGING)
    log.info("worker_ended", drained=drained)
    if not drained:
        _leave(0)
    return 0


def _leave(status: int) -> NoReturn:
    """Native code in a daemon thread may crash an interpreter that is being taken down."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(status)


async def _main(settings: WorkerSettings, queue: queues.Queue, find: loading.Find, workspace: Path) -> bool:
    surroundings = Surroundings(
        queue=service_bus.open_queue(settings, queue),
        event_sender=service_bus.open_events(settings),
        blob_store=azure_blobs.open_store(settings),
        workspace=workspace,
    )
    state, metrics = Readiness(), WorkerMetrics()
    app = health.create_app(state, metrics)
    stop = asyncio.Event()
    with (
        health.serving(app, host=settings.health_host, port=settings.health_port),
        drain.on_stop_signal(stop.set),
    ):
        try:
            return await work(settings, find, surroundings, state, metrics, stop)
        finally:
            await surroundings.queue.close()
            await surroundings.event_sender.close()


async def work(
    settings: WorkerSettings,
    find: loading.Find,
    surroundings: Surroundings,
    state: Readiness,
    metrics: WorkerMetrics,
    stop: asyncio.Event,
) -> bool:
    """From loading to drained, until `stop`; False when work was left behind. Raises WorkHangsError."""
    watching = asyncio.create_task(
        readiness.watch(
            state,
            queue=surroundings.queue,
            blob_store=surroundings.blob_store,
            every_seconds=settings.ready_check_seconds,
            stop=stop,
        )
    )
    backoff = Backoff(
        first_seconds=settings.backoff_seconds, longest_seconds=settings.longest_backoff_seconds
    )
    try:
        handlers = await loading.load_all(find, state=state, backoff=backoff, stop=stop)
        if handlers is None:
            return False
        hanging = HangingWork(limit_seconds=settings.hang_seconds, on_found=stop.set)
        receiver = _receiver(settings, handlers, surroundings, metrics, stop, hanging)
        state.note(Check.RECEIVING)
        drained = await _receive(receiver, handlers, hanging)
        if hanging.found:
            raise errors.WorkHangsError
        return drained
    finally:
        stop.set()
        state.note(Check.RECEIVING, "ended")
        # Not awaited: a look at what is away takes half a minute, and what it would say nobody asks any more.
        watching.cancel()


def _receiver(
    settings: WorkerSettings,
    handlers: Sequence[StepHandler],
    surroundings: Surroundings,
    metrics: WorkerMetrics,
    stop: asyncio.Event,
    hanging: HangingWork,
) -> Receiver:
    runner = AttemptRunner(
        handlers=handlers,
        blob_store=surroundings.blob_store,
        event_sender=surroundings.event_sender,
        metrics=metrics,
        workspace=surroundings.workspace,
        settings=settings,
        hanging=hanging,
    )
    return Receiver(queue=surroundings.queue, runner=runner, settings=settings, metrics=metrics, stop=stop)


async def _receive(receiver: Receiver, handlers: Sequence[StepHandler], hanging: HangingWork) -> bool:
    drained = await receiver.run()
    if drained and not hanging.found:
        for handler in handlers:
            await run_in_thread(handler.close, name="close")
    return drained
