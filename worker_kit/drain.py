"""SIGTERM and SIGINT."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator

import structlog

log = structlog.get_logger()

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def on_stop_signal(stop: Callable[[], None]) -> Iterator[None]:
    """Calls `stop` in the running loop when the process is asked to end; only the first signal counts."""
    loop = asyncio.get_running_loop()
    asked = False

    def ask(number: signal.Signals) -> None:
        nonlocal asked
        log.info("stop_signal", signal=number.name, again=asked)
        if not asked:
            asked = True
            stop()

    for number in _SIGNALS:
        loop.add_signal_handler(number, ask, number)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
