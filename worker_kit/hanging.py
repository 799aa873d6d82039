"""Work that nobody waits for any more, and that does not end all the same."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

log = structlog.get_logger()


class HangingWork:
    """Gives the process up when a thread hangs: it cannot be ended, and keeps others from its engine."""

    def __init__(self, *, limit_seconds: float, on_found: Callable[[], None]) -> None:
        """`on_found` is called once for each work that has not ended `limit_seconds` after it was told to."""
        self.found = False
        self._limit_seconds = limit_seconds
        self._on_found = on_found
        self._watches: set[asyncio.Task[None]] = set()

    def watch(self, work: asyncio.Future[Any]) -> None:
        """Call it when `work` was told to stop. What it answers or raises from now on nobody hears."""
        watch = asyncio.create_task(self._watch(work))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)

    async def _watch(self, work: asyncio.Future[Any]) -> None:
        if (await asyncio.wait({work}, timeout=self._limit_seconds))[0]:
            log.info("late_work_ended", failed=work.exception() is not None)
            return
        self.found = True
        log.error("work_hangs", limit_seconds=self._limit_seconds)
        self._on_found()
