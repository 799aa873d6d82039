"""For each commit point of the broker: what leads to it, and what must be true after a kill beside it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from azure.servicebus import ServiceBusMessage, ServiceBusReceiveMode, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from local_stack.broker import store
from local_stack.broker.journal import CommitPoint

# Locks and windows must outlast the broker that prepared them: it is the next one that sees them end.
QUEUES: Final[dict[str, dict[str, Any]]] = {
    "work": {"LockDuration": "PT5S"},
    "once": {"LockDuration": "PT5S", "RequiresDuplicateDetection": True},
    "briefly-once": {"RequiresDuplicateDetection": True, "DuplicateDetectionHistoryTimeWindow": "PT8S"},
}


@dataclass(kw_only=True)
class Scene:
    """One broker's state, its present client, and what the scenario has noted."""

    client: ServiceBusClient
    counts_url: str
    database: Path
    is_after: bool
    """Killed after the commit, not before."""
    notes: dict[str, Any] = field(default_factory=dict)

    async def send(self, *bodies: str, queue: str = "work", message_id: str | None = None) -> None:
        messages = [ServiceBusMessage(body, message_id=message_id) for body in bodies]
        async with self.client.get_queue_sender(queue) as sender:
            await sender.send_messages(messages)

    @contextlib.asynccontextmanager
    async def receiver(self, queue: str = "work") -> Any:
        async with self.client.get_queue_receiver(queue) as receiver:
            yield receiver

    async def drained(self, queue: str = "work", sub_queue: ServiceBusSubQueue | None = None) -> list[Any]:
        """All that is there or comes back when locks end, as (body, delivery count)."""
        found: list[Any] = []
        mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
        async with self.client.get_queue_receiver(queue, sub_queue=sub_queue, receive_mode=mode) as receiver:
            while True:
                # Asked before: what was sent to the client while it did not receive is left nowhere else.
                is_any_left = await self._is_any_left(queue, sub_queue)
                batch = await receiver.receive_messages(20, max_wait_time=1.0)
                found += [(str(message), message.delivery_count) for message in batch]
                if not (is_any_left or batch):
                    return found

    async def _is_any_left(self, queue: str, sub_queue: ServiceBusSubQueue | None) -> bool:
        async with httpx.AsyncClient() as http:
            counts = (await http.get(self.counts_url)).json()["queues"][queue]
        return bool(counts["dead_letter"] if sub_queue else counts["active"] + counts["scheduled"])

    def rows(self, sql: str) -> list[Any]:
        """What is in the file of a broker that is dead."""
        with contextlib.closing(sqlite3.connect(self.database / store.FILE_NAME)) as connection:
            return connection.execute(sql).fetchall()


Act = Callable[[Scene], Awaitable[None]]


async def _nothing(_scene: Scene) -> None:
    """What follows comes of itself."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`prepare` runs against a whole broker, `act` against the one that dies, `check` against the next."""

    check: Act
    prepare: Act = _nothing
    act: Act = _nothing
    post_mortem: Callable[[Scene], None] = lambda _scene: None


async def _take(receiver: ServiceBusReceiver) -> Any:
    [message] = await receiver.receive_messages(1, max_wait_time=10)
    return message


async def _send_one(scene: Scene) -> None:
    await scene.send("m")


# message_stored


async def _send_three(scene: Scene) -> None:
    await scene.send("a", "b", "c")


async def _all_three_or_none(scene: Scene) -> None:
    sent = [("a", 0), ("b", 0), ("c", 0)] if scene.is_after else []
    assert await scene.drained() == [("m", 0), *sent]


# message_removed


async def _complete(scene: Scene) -> None:
    async with scene.receiver() as receiver:
        await receiver.complete_message(await _take(receiver))


async def _gone_or_back(scene: Scene) -> None:
    assert await scene.drained() == ([] if scene.is_after else [("m", 1)])


# message_locked


async def _receive(scene: Scene) -> None:
    async with scene.receiver() as receiver:
        scene.notes["received"] = await receiver.receive_messages(1, max_wait_time=10)


async def _not_delivered_and_there(scene: Scene) -> None:
    assert not scene.notes.get("received"), "delivered before the lock was written"
    assert await scene.drained() == [("m", 1 if scene.is_after else 0)]


# lock_renewed


async def _renew(scene: Scene) -> None:
    async with scene.receiver() as receiver:
        message = await _take(receiver)
        scene.notes["until_ms"] = round(message.locked_until_utc.timestamp() * 1000)
        await receiver.renew_message_lock(message)


def _renewed_or_not(scene: Scene) -> None:
    [(until_ms,)] = scene.rows("SELECT until_ms FROM locks")
    assert (until_ms > scene.notes["until_ms"]) == scene.is_after


async def _back_once(scene: Scene) -> None:
    assert await scene.drained() == [("m", 1)]


# lock_ended


async def _lock(scene: Scene) -> None:
    await scene.send("m")
    async with scene.receiver() as receiver:
        await _take(receiver)


# delivery_counted


async def _abandon(scene: Scene) -> None:
    async with scene.receiver() as receiver:
        await receiver.abandon_message(await _take(receiver))


def _counted_with_the_lock(scene: Scene) -> None:
    """The message has both or neither: unlocked and counted."""
    [(count,)] = scene.rows("SELECT delivery_count FROM messages")
    [(locks,)] = scene.rows("SELECT count(*) FROM locks")
    assert (count, locks) == ((1, 0) if scene.is_after else (0, 1))


# locks_purged


async def _complete_one_and_keep_one(scene: Scene) -> None:
    await scene.send("m", "kept")
    await _complete(scene)


async def _kept(scene: Scene) -> None:
    assert await scene.drained() == [("kept", 0)]


# message_activated


async def _schedule(scene: Scene) -> None:
    async with scene.client.get_queue_sender("work") as sender:
        due = datetime.now(UTC) + timedelta(seconds=5.0)
        await sender.schedule_messages(ServiceBusMessage("m"), due)


def _scheduled_or_active(scene: Scene) -> None:
    [(scheduled_ms,)] = scene.rows("SELECT scheduled_ms FROM messages")
    assert (scheduled_ms is None) == scene.is_after


async def _there_once(scene: Scene) -> None:
    assert await scene.drained() == [("m", 0)]


# message_dead_lettered


async def _dead_letter(scene: Scene) -> None:
    async with scene.receiver() as receiver:
        await receiver.dead_letter_message(await _take(receiver), reason="why", error_description="because")


async def _in_one_place(scene: Scene) -> None:
    assert await scene.drained() == ([] if scene.is_after else [("m", 1)])
    dead = await scene.drained(sub_queue=ServiceBusSubQueue.DEAD_LETTER)
    assert [body for body, _count in dead] == (["m"] if scene.is_after else [])


# id_remembered


async def _send_with_id(scene: Scene) -> None:
    await scene.send("m", queue="once", message_id="x")


async def _sent_again_is_there_once(scene: Scene) -> None:
    await scene.send("m", queue="once", message_id="x")
    assert await scene.drained("once") == [("m", 0)]


# id_forgotten


async def _send_and_take_with_id(scene: Scene) -> None:
    await scene.send("m", queue="briefly-once", message_id="x")
    assert await scene.drained("briefly-once") == [("m", 0)]


async def _id_may_come_again(scene: Scene) -> None:
    # Its window is over, whether or not the file had been told.
    await scene.send("again", queue="briefly-once", message_id="x")
    assert await scene.drained("briefly-once") == [("again", 0)]


# sequences_reserved


async def _numbers_are_not_given_twice(scene: Scene) -> None:
    await scene.send("later", "last")
    async with scene.receiver() as receiver:
        found = await receiver.peek_messages(10)
    numbers = [message.sequence_number for message in found]
    assert numbers == sorted(set(numbers))
    assert [str(message) for message in found] == [*(["m"] if scene.is_after else []), "later", "last"]


SCENARIOS: Final[dict[CommitPoint, Scenario]] = {
    CommitPoint.MESSAGE_STORED: Scenario(prepare=_send_one, act=_send_three, check=_all_three_or_none),
    CommitPoint.MESSAGE_REMOVED: Scenario(prepare=_send_one, act=_complete, check=_gone_or_back),
    CommitPoint.MESSAGE_LOCKED: Scenario(prepare=_send_one, act=_receive, check=_not_delivered_and_there),
    CommitPoint.LOCK_RENEWED: Scenario(
        prepare=_send_one, act=_renew, post_mortem=_renewed_or_not, check=_back_once
    ),
    CommitPoint.LOCK_ENDED: Scenario(prepare=_lock, check=_back_once),
    CommitPoint.LOCKS_PURGED: Scenario(prepare=_complete_one_and_keep_one, check=_kept),
    CommitPoint.DELIVERY_COUNTED: Scenario(
        prepare=_send_one, act=_abandon, post_mortem=_counted_with_the_lock, check=_back_once
    ),
    CommitPoint.MESSAGE_ACTIVATED: Scenario(
        prepare=_schedule, post_mortem=_scheduled_or_active, check=_there_once
    ),
    CommitPoint.MESSAGE_DEAD_LETTERED: Scenario(prepare=_send_one, act=_dead_letter, check=_in_one_place),
    CommitPoint.ID_REMEMBERED: Scenario(act=_send_with_id, check=_sent_again_is_there_once),
    CommitPoint.ID_FORGOTTEN: Scenario(prepare=_send_and_take_with_id, check=_id_may_come_again),
    CommitPoint.SEQUENCES_RESERVED: Scenario(act=_send_one, check=_numbers_are_not_given_twice),
}

# Acts whose end is an answer of the broker: one that died must not have given it.
CONFIRMED: Final = frozenset(
    {_send_one, _send_three, _send_with_id, _complete, _renew, _abandon, _dead_letter}
)
