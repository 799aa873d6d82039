"""Keeping a lock."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from tests.unit.worker_kit import waiting
from worker_kit import backoff, errors, lock
from worker_kit.memory_queue import MemoryQueue
from worker_kit.queues import ReceivedMessage


async def received(queue: MemoryQueue) -> ReceivedMessage:
    queue.put(b"body")
    message = await queue.receive(max_wait_seconds=1)
    assert message is not None
    return message


class ShortOutage(MemoryQueue):
    """Does not answer the first renewals."""

    def __init__(self, *, failures: int) -> None:
        super().__init__()
        self.failures = failures

    async def renew(self, message: ReceivedMessage) -> datetime:
        if self.failures:
            self.failures -= 1
            raise errors.QueueUnavailableError
        return await super().renew(message)


async def test_lock_is_renewed_every_third_of_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def set_within(stop: asyncio.Event, seconds: float) -> bool:
        waits.append(seconds)
        return await backoff.set_within(stop, 0 if len(waits) <= 3 else 60)

    monkeypatch.setattr(lock, "set_within", set_within)
    queue = MemoryQueue(lock_seconds=27)
    async with lock.kept(queue, await received(queue)) as held:
        await waiting.until(lambda: len(waits) == 4)
        assert not held.lost
    assert queue.renewals == 3
    assert waits == pytest.approx([9.0] * 4, abs=1.0)


async def test_lock_that_is_gone_is_noticed_and_not_renewed_again() -> None:
    queue = MemoryQueue(lock_seconds=0.6)
    async with lock.kept(queue, await received(queue)) as held:
        queue.expire_locks()
        await waiting.until(lambda: held.lost)
    assert queue.refused_renewals == 1


async def test_short_broker_outage_does_not_lose_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    for wait in ("SHORTEST_WAIT_SECONDS", "LONGEST_WAIT_SECONDS", "RETRY_SECONDS"):
        monkeypatch.setattr(lock, wait, 0.02)
    queue = ShortOutage(failures=3)
    async with lock.kept(queue, await received(queue)) as held:
        await waiting.until(lambda: queue.renewals >= 1)
        assert queue.failures == 0
        assert not held.lost


async def test_broker_outage_longer_than_the_lock_loses_it() -> None:
    queue = MemoryQueue(lock_seconds=0.5)
    async with lock.kept(queue, await received(queue)) as held:
        queue.available = False
        await waiting.until(lambda: held.lost)


async def test_leaving_ends_the_renewals_at_once() -> None:
    queue = MemoryQueue(lock_seconds=60)
    message = await received(queue)
    async with asyncio.timeout(1):
        async with lock.kept(queue, message):
            pass
    assert queue.renewals == 0
