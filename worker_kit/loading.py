"""Finds and loads what the handlers need, before the first message."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from contracts.errors import ErrorCode
from worker_kit import errors
from worker_kit.backoff import Backoff
from worker_kit.handlers import StepHandler
from worker_kit.readiness import OK, Check, Readiness
from worker_kit.threads import run_in_thread

log = structlog.get_logger()

Find = Callable[[], Sequence[StepHandler]]
"""Makes the handlers for the models that the settings name now; runs in a thread.

Raises a WorkerError that is retryable where looking again may help, and one that is not where nothing will.
"""


class ModelNotLoadedError(errors.WorkerError):
    """The model was found, and cannot be loaded."""

    code = ErrorCode.MODEL_UNAVAILABLE
    retryable = True


async def load_all(
    find: Find, *, state: Readiness, backoff: Backoff, stop: asyncio.Event
) -> Sequence[StepHandler] | None:
    """The handlers, each loaded and warm; None when `stop` came first.

    A model that cannot be had shows in /ready: the hub may be away, or a file damaged. It is looked for anew
    every time, because what repairs it may change the revision that it is pinned to.
    Raises the WorkerError of `find` that is not retryable.
    """
    while not stop.is_set():
        handlers = await _loaded(find, state, stop)
        if handlers is not None:
            state.note(Check.MODEL, OK)
            return handlers
        await backoff.pause(stop)
    return None


async def _loaded(find: Find, state: Readiness, stop: asyncio.Event) -> Sequence[StepHandler] | None:
    loading = asyncio.create_task(run_in_thread(lambda: _load(find), name="load"))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({loading, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not loading.done():
        loading.cancel()
        return None
    try:
        return loading.result()
    except errors.WorkerError as error:
        if not error.retryable:
            raise
        log.error("model_load_failed", code=error.code, reason=str(error), exc_info=error.__cause__)
        state.note(Check.MODEL, str(error))
        return None


def _load(find: Find) -> Sequence[StepHandler]:
    handlers = find()
    try:
        for handler in handlers:
            handler.load()
            handler.warm_up()
    except Exception as error:
        raise ModelNotLoadedError(f"{type(error).__name__}: {error}") from error
    return handlers
