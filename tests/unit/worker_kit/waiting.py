"""Waiting for a condition, with a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], *, within_seconds: float = 5.0) -> None:
    """Returns as soon as the condition holds; TimeoutError after the limit."""
    async with asyncio.timeout(within_seconds):
        while not condition():  # noqa: ASYNC110 - conditions that no event announces
            await asyncio.sleep(0.005)
