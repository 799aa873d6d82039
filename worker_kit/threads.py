"""Blocking work beside the event loop."""

import asyncio
import concurrent.futures
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def run_in_thread(function: Callable[[], T], *, name: str) -> T:
    """What `function` returns or raises, from a daemon thread of its own.

    A daemon, unlike the threads of `asyncio.to_thread`: work that does not end cannot keep the process alive.
    """
    future: concurrent.futures.Future[T] = concurrent.futures.Future()
    # Running from the start, so that a waiter who gives up cannot cancel it under the thread's feet.
    future.set_running_or_notify_cancel()
    context = contextvars.copy_context()

    def body() -> None:
        try:
            result = context.run(function)
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=body, name=name, daemon=True).start()
    return await asyncio.wrap_future(future)
