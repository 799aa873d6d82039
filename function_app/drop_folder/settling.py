"""Waiting until files have been still: one invocation of this process waits for all that settle in it."""

import asyncio
import time
from typing import Final

from function_app import runs, services
from function_app.drop_folder import files, names

LONGEST_WAIT_SECONDS: Final = 300.0
"""Far below the host's functionTimeout; what has not settled then is the sweep's."""


class Settler:
    """For one event loop: nothing here happens between two of its awaits."""

    def __init__(self) -> None:
        self._is_waiting = False
        self._has_news = False

    async def settle(self, parts: services.Services, client: runs.RunClient) -> None:
        """Waits and decides until nothing is settling, or leaves it to the call that does so already.

        So a hundred files that come at once keep one of the host's invocations busy, not a hundred.
        """
        if self._is_waiting:
            self._has_news = True
            return
        self._is_waiting = True
        try:
            await self._wait(parts, client)
        finally:
            self._is_waiting = False

    async def _wait(self, parts: services.Services, client: runs.RunClient) -> None:
        deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        while time.monotonic() < deadline:
            self._has_news = False
            pause_seconds = await files.decide_settled(parts, client)
            if pause_seconds is None and not self._has_news:
                return
            await asyncio.sleep(pause_seconds or 0.0)


_settler: Final = Settler()


async def arrived(parts: services.Services, client: runs.RunClient, blob_name: str) -> None:
    """For a blob named `drop-folder/{path}`: a file or a manifest. What raises comes again."""
    if await asyncio.to_thread(files.note, parts, names.in_folder(blob_name)):
        await _settler.settle(parts, client)
