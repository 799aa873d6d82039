"""Messages duplicated, delayed, reordered and redelivered, through the client that everybody uses.

At the level of TCP a message cannot be sent twice. So this takes messages from the queues as any receiver
does, in competition with the real ones, and does to each what a seed says before it lets it go.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent import futures
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import structlog
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender
from azure.servicebus.exceptions import ServiceBusError

from contracts import queues

log = structlog.get_logger()

TAKERS_PER_QUEUE: Final = 3
"""As many as stand a chance against the real receivers."""
LONGEST_DELAY_SECONDS: Final = 4.0
TOUCHED: Final = "touched"
"""Application property of what went through here: it is let pass the next time."""
LET_PASS_SECONDS: Final = 2.0
"""How long a taker stands aside after it took what it had touched before."""
_WAIT_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 20.0


class Fate(StrEnum):
    """What happens to a message."""

    DUPLICATE = "duplicate"
    """It comes twice at once."""
    TRIPLE_LATE = "triple_late"
    """It comes now and twice more later, when its work is done."""
    DELAY = "delay"
    """It comes later, after those that were sent behind it: reordered."""
    REDELIVER = "redeliver"
    """It comes again, with a higher delivery count."""
    HOLD = "hold"
    """It is held until its lock has run out."""


_SHARES: Final = {
    Fate.DUPLICATE: 0.3,
    Fate.TRIPLE_LATE: 0.2,
    Fate.DELAY: 0.25,
    Fate.REDELIVER: 0.2,
    Fate.HOLD: 0.05,
}


def fate_of(seed: int, message_id: str) -> tuple[Fate, float]:
    """What happens to the message, and after how many seconds: the same for the same seed and message."""
    chance = random.Random(f"{seed}:{message_id}")
    fate = chance.choices([*_SHARES], weights=[*_SHARES.values()])[0]
    return fate, chance.uniform(0.5, LONGEST_DELAY_SECONDS)


class Meddler:
    """Does its work in a thread of its own, between enter and exit."""

    def __init__(
        self, connection_string: str, *, seed: int, wanted: Sequence[queues.Queue] = tuple(queues.Queue)
    ) -> None:
        self.made: Counter[tuple[queues.Queue, Fate]] = Counter()
        self._connection_string = connection_string
        self._seed = seed
        self._queues = wanted
        self._stop = asyncio.Event()

    def fates(self) -> Counter[Fate]:
        """How often what was done, over all queues."""
        total: Counter[Fate] = Counter()
        for (_, fate), times in self.made.items():
            total[fate] += times
        return total

    async def run(self) -> None:
        """Until `stop`; what it has taken by then it lets go first."""
        async with ServiceBusClient.from_connection_string(self._connection_string) as client:
            await asyncio.gather(
                *(self._meddle(client, queue) for queue in self._queues for _ in range(TAKERS_PER_QUEUE))
            )

    def stop(self) -> None:
        """From the loop's own thread."""
        self._stop.set()

    async def _meddle(self, client: ServiceBusClient, queue: queues.Queue) -> None:
        async with client.get_queue_receiver(queue) as receiver, client.get_queue_sender(queue) as sender:
            while not self._stop.is_set():
                for message in await receiver.receive_messages(1, max_wait_time=_WAIT_SECONDS):
                    with contextlib.suppress(ServiceBusError):  # a lock that ran out is one more redelivery
                        await self._one(queue, message, receiver, sender)

    async def _one(
        self,
        queue: queues.Queue,
        message: ServiceBusReceivedMessage,
        receiver: ServiceBusReceiver,
        sender: ServiceBusSender,
    ) -> None:
        if _is_touched(message) or (message.delivery_count or 0) > 1:
            # Once each, so that messages come through at last. Given back it would have one delivery less.
            await sender.send_messages(_copy(message))
            await receiver.complete_message(message)
            await self._wait(LET_PASS_SECONDS)
            return
        fate, seconds = fate_of(self._seed, message.message_id or "")
        match fate:
            case Fate.REDELIVER:
                await receiver.abandon_message(message)
            case Fate.HOLD:
                await self._wait(_until(message.locked_until_utc) + 0.5)
            case _:
                await _send_copies(message, sender, fate, seconds)
                await receiver.complete_message(message)
        self.made[queue, fate] += 1

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


async def _send_copies(
    message: ServiceBusReceivedMessage, sender: ServiceBusSender, fate: Fate, seconds: float
) -> None:
    delays = {
        Fate.DUPLICATE: (0.0, 0.0),
        Fate.TRIPLE_LATE: (0.0, seconds, 2 * seconds),
        Fate.DELAY: (seconds,),
    }[fate]
    for delay in delays:
        copy = _copy(message)
        if delay:
            await sender.schedule_messages(copy, datetime.now(UTC) + timedelta(seconds=delay))
        else:
            await sender.send_messages(copy)


def _copy(message: ServiceBusReceivedMessage) -> ServiceBusMessage:
    """Under another id: duplicate detection would swallow the second of one id."""
    body = message.body
    return ServiceBusMessage(
        body if isinstance(body, bytes) else b"".join(body),
        message_id=uuid.uuid4().hex,
        content_type=message.content_type,
        correlation_id=message.correlation_id,
        time_to_live=message.time_to_live,
        application_properties={TOUCHED: True},
    )


def _is_touched(message: ServiceBusReceivedMessage) -> bool:
    properties = message.application_properties or {}
    return TOUCHED in properties or TOUCHED.encode() in properties


def _until(moment: datetime | None) -> float:
    return max(0.0, (moment - datetime.now(UTC)).total_seconds()) if moment else 0.0


@contextlib.contextmanager
def meddling(connection_string: str, *, seed: int) -> Iterator[Meddler]:
    """All queues are meddled with while the body runs."""
    loop = asyncio.new_event_loop()
    meddler = Meddler(connection_string, seed=seed)
    with futures.ThreadPoolExecutor(1, thread_name_prefix="meddler") as pool:
        work = pool.submit(loop.run_until_complete, meddler.run())
        try:
            yield meddler
        finally:
            if not work.done():
                loop.call_soon_threadsafe(meddler.stop)
            work.result(_STOP_SECONDS)
    loop.close()
