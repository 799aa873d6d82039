"""Background tasks that must not die unheard: one that does ends the host, to be started again."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class Supervisor:
    """Starts tasks, and knows when the host has to end."""

    def __init__(self) -> None:
        self._ending = asyncio.Event()
        self.failed = False

    def watch(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """A task whose exception ends the host."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._done)
        return task

    def end(self) -> None:
        """The host was asked to stop."""
        self._ending.set()

    async def wait_for_end(self) -> None:
        """Until `end`, or until a watched task has failed."""
        await self._ending.wait()

    def _done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            return
        log.critical("host_task_failed", task=task.get_name(), exc_info=task.exception())
        self.failed = True
        self._ending.set()
