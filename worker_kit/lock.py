"""Keeps the lock on a message while it is worked on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

import structlog

from worker_kit import errors
from worker_kit.backoff import set_within
from worker_kit.queues import ReceivedMessage, WorkQueue

log = structlog.get_logger()

SHORTEST_WAIT_SECONDS: Final = 0.2
LONGEST_WAIT_SECONDS: Final = 10.0
"""However long the lock seems to last: this machine's clock may be behind the broker's."""
SKEWED_WAIT_SECONDS: Final = 1.0
"""When a lock that was given just now seems to have run out: this machine's clock is ahead."""
RETRY_SECONDS: Final = 1.0


class HeldLock:
    """Whether the message is still this worker's."""

    def __init__(self, message: ReceivedMessage) -> None:
        self.lost = False
        self.locked_until = message.locked_until

    @property
    def remaining_seconds(self) -> float:
        """Negative once the lock has run out."""
        return (self.locked_until - datetime.now(UTC)).total_seconds()


@contextlib.asynccontextmanager
async def kept(queue: WorkQueue, message: ReceivedMessage) -> AsyncIterator[HeldLock]:
    """Renews the lock whenever a third of it has passed, until the body ends.

    Our own loop, because the SDK's AutoLockRenewer looks once a second, truncates to whole seconds and so
    loses short locks, and stops for good after 5 minutes by default.
    """
    held = HeldLock(message)
    stop = asyncio.Event()
    renewing = asyncio.create_task(_renew_until(stop, queue, message, held))
    try:
        yield held
    finally:
        # Asked to stop, not cancelled: a cancelled renewal would leave its answer on the link.
        stop.set()
        await renewing


async def _renew_until(
    stop: asyncio.Event, queue: WorkQueue, message: ReceivedMessage, held: HeldLock
) -> None:
    wait_seconds = _wait_seconds(held)
    while not held.lost and not await set_within(stop, wait_seconds):
        wait_seconds = await _renew_once(queue, message, held)


async def _renew_once(queue: WorkQueue, message: ReceivedMessage, held: HeldLock) -> float:
    """How long to wait for the next renewal."""
    try:
        held.locked_until = await queue.renew(message)
    except errors.LockLostError:
        held.lost = True
    except errors.QueueUnavailableError:
        held.lost = held.remaining_seconds <= 0
        return max(SHORTEST_WAIT_SECONDS, min(RETRY_SECONDS, held.remaining_seconds / 3))
    if held.lost:
        log.warning("lock_lost", message_id=message.message_id)
    return _wait_seconds(held)


def _wait_seconds(held: HeldLock) -> float:
    """A third of the lock, as far as the clocks can be believed."""
    if held.remaining_seconds <= 0:
        return SKEWED_WAIT_SECONDS
    return min(max(held.remaining_seconds / 3, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
