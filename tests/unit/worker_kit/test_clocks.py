"""Clocks that disagree by an hour: the work is done all the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.worker_kit import builders, waiting
from worker_kit import clocks, lock
from worker_kit.memory_queue import MemoryQueue
from worker_kit.queues import ReceivedMessage

HOUR = timedelta(hours=1)


def received(*, clock_ahead: timedelta, life: timedelta | None = None) -> ReceivedMessage:
    """Just locked for 15 s by a broker; this machine's clock is so far ahead of the broker's."""
    at_broker = datetime.now(UTC) - clock_ahead
    return ReceivedMessage(
        body=b"",
        message_id="message",
        delivery_count=0,
        enqueued_at=at_broker,
        locked_until=at_broker + timedelta(seconds=15),
        receipt=None,
        expires_at=None if life is None else at_broker + life,
    )


@pytest.mark.parametrize(
    ("clock_ahead", "expires_in", "life_minutes", "left_seconds"),
    [
        # All clocks agree.
        (timedelta(0), timedelta(minutes=30), 30, 1800),
        # This machine's is an hour ahead: at most the length of a lock is lost.
        (HOUR, timedelta(minutes=30) - HOUR, 30, 1800 - 15),
        # The function app's is an hour behind: what counts is how long the message lives.
        (timedelta(0), timedelta(minutes=30) - HOUR, 30, 1800),
        # Both.
        (HOUR, timedelta(minutes=30) - 2 * HOUR, 30, 1800 - 15),
        # Over, by every clock.
        (timedelta(0), timedelta(seconds=-1), 0, 0),
    ],
)
def test_time_that_is_left_does_not_depend_on_one_clock(
    clock_ahead: timedelta, expires_in: timedelta, life_minutes: int, left_seconds: float
) -> None:
    message = received(clock_ahead=clock_ahead, life=timedelta(minutes=life_minutes))
    request = builders.request(expires_at=datetime.now(UTC) + expires_in)
    left = clocks.seconds_left(request, message, lock.HeldLock(message))
    assert left == pytest.approx(left_seconds, abs=1.0)


@pytest.mark.parametrize("ahead", [-HOUR, HOUR], ids=["behind", "ahead"])
async def test_lock_is_kept_although_the_clock_is_an_hour_off(
    ahead: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "LONGEST_WAIT_SECONDS", 0.1)
    monkeypatch.setattr(lock, "SKEWED_WAIT_SECONDS", 0.1)
    queue = MemoryQueue()
    queue.put(b"body")
    message = await queue.receive(max_wait_seconds=1)
    assert message is not None
    renew = queue.renew

    async def renew_as_seen_here(one: ReceivedMessage) -> datetime:
        return await renew(one) + -ahead

    monkeypatch.setattr(queue, "renew", renew_as_seen_here)
    seen_here = replace(message, locked_until=message.locked_until - ahead)
    async with lock.kept(queue, seen_here) as held:
        await waiting.until(lambda: queue.renewals > 3)
        assert not held.lost
    await queue.complete(message)
