"""Keeping a lock."""

from __future__ import annotations

import asyncio

from tests.unit.worker_kit import waiting
from worker_kit import lock
from worker_kit.memory_queue import MemoryQueue
from worker_kit.queues import ReceivedMessage


async def received(queue: MemoryQueue) -> ReceivedMessage:
    queue.put(b"body")
    message = await queue.receive(max_wait_seconds=1)
    assert message is not None
    return message


async def test_lock_is_renewed_every_third_of_its_length() -> None:
    queue = MemoryQueue(lock_seconds=0.9)
    async with lock.kept(queue, await received(queue)) as held:
        await asyncio.sleep(1.4)
        assert not held.lost
    assert 3 <= queue.renewals <= 5


async def test_lock_that_is_gone_is_noticed_and_not_renewed_again() -> None:
    queue = MemoryQueue(lock_seconds=0.6)
    async with lock.kept(queue, await received(queue)) as held:
        queue.expire_locks()
        await waiting.until(lambda: held.lost)
    assert queue.refused_renewals == 1


async def test_short_broker_outage_does_not_lose_the_lock() -> None:
    queue = MemoryQueue(lock_seconds=2.0)
    async with lock.kept(queue, await received(queue)) as held:
        queue.available = False
        await asyncio.sleep(0.9)
        queue.available = True
        await waiting.until(lambda: queue.renewals >= 1)
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
