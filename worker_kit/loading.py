"""Loads what the handlers need, before the first message."""

import asyncio
from collections.abc import Sequence

import structlog

from worker_kit.backoff import Backoff
from worker_kit.handlers import StepHandler
from worker_kit.readiness import OK, Check, Readiness
from worker_kit.threads import run_in_thread

log = structlog.get_logger()


async def load_all(
    handlers: Sequence[StepHandler], *, state: Readiness, backoff: Backoff, stop: asyncio.Event
) -> bool:
    """True when every handler is loaded and warm; False when `stop` came first.

    A model that cannot be loaded shows in /ready: the hub may be away, or a folder not mounted yet.
    """
    for handler in handlers:
        while not await _loaded(handler, state, stop):
            if stop.is_set():
                return False
            await backoff.pause(stop)
    state.note(Check.MODEL, OK)
    return True


async def _loaded(handler: StepHandler, state: Readiness, stop: asyncio.Event) -> bool:
    def load() -> None:
        handler.load()
        handler.warm_up()

    loading = asyncio.create_task(run_in_thread(load, name="load"))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({loading, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not loading.done():
        loading.cancel()
        return False
    error = loading.exception()
    if error is not None:
        log.error("model_load_failed", exc_info=error)
        state.note(Check.MODEL, f"{type(error).__name__}: {error}")
    return error is None
