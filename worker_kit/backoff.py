"""Pauses after something was away."""

import asyncio
import random


class Backoff:
    """Doubles from `first_seconds` to `longest_seconds`; a success begins it anew."""

    def __init__(self, *, first_seconds: float, longest_seconds: float) -> None:
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self._failures = 0

    def succeeded(self) -> None:
        """The next pause is the first again."""
        self._failures = 0

    def next_seconds(self) -> float:
        """The pause after one more failure; its upper half is random: workers do not march in step."""
        doubled = self._first_seconds * 2.0 ** min(self._failures, 16)
        self._failures += 1
        return min(doubled, self._longest_seconds) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    async def pause(self, stop: asyncio.Event) -> None:
        """Waits; ends early when `stop` is set."""
        await set_within(stop, self.next_seconds())


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """True as soon as the event is set, False after the time."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
