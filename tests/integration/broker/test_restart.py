"""The broker dies and comes back: what was acknowledged is there, what was settled is gone."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
    aio,
)
from azure.servicebus.exceptions import ServiceBusError

from tests.integration import broker_process
from tests.integration.broker.conftest import LOSES_CONNECTIONS, WriteConfig

_QUEUES: dict[str, dict[str, Any]] = {
    "work": {"LockDuration": "PT3S", "MaxDeliveryCount": 10},
    "long-work": {"LockDuration": "PT1M"},
    "load": {"LockDuration": "PT3S", "MaxDeliveryCount": 100},
    "once": {"RequiresDuplicateDetection": True},
}

pytestmark = [pytest.mark.acceptance_long, *LOSES_CONNECTIONS]


def test_state_survives_a_kill(tmp_path: Path, configure: WriteConfig) -> None:
    with (
        broker_process.running_broker(configure(_QUEUES), tmp_path / "state") as broker,
        ServiceBusClient.from_connection_string(broker.connection_string) as client,
        client.get_queue_receiver("work") as receiver,
        client.get_queue_receiver("long-work") as long_receiver,
        client.get_queue_receiver("once") as once_receiver,
    ):
        due = datetime.now(UTC) + timedelta(seconds=3)
        with (
            client.get_queue_sender("work") as sender,
            client.get_queue_sender("long-work") as long_sender,
            client.get_queue_sender("once") as once,
        ):
            sender.send_messages(
                [ServiceBusMessage(name) for name in ("settled", "abandoned", "locked", "ready")]
            )
            sender.schedule_messages(ServiceBusMessage("scheduled"), due)
            long_sender.send_messages([ServiceBusMessage("held"), ServiceBusMessage("ready")])
            once.send_messages(ServiceBusMessage("first", message_id="a"))
        [held] = receive(long_receiver, 1)
        settled, abandoned, _locked = receive(receiver, 3)
        receiver.complete_message(settled)
        receiver.abandon_message(abandoned)

        broker.restart(kill=True)
        for each in (receiver, long_receiver, once_receiver):
            wait_for_reconnection(each)

        [ready] = receive(long_receiver, 1)
        assert str(ready) == "ready", "the lock of the other one was forgotten"
        long_receiver.renew_message_lock(held)
        assert held.lock_token is not None
        long_receiver._settle_message_via_mgmt_link("completed", [held.lock_token])
        found = receive(receiver, 4, complete=True)
        assert datetime.now(UTC) > due - timedelta(milliseconds=50)
        assert sorted((str(each), each.delivery_count) for each in found) == [
            ("abandoned", 1),
            ("locked", 1),
            ("ready", 0),
            ("scheduled", 0),
        ]
        with client.get_queue_sender("once") as once:
            once.send_messages(ServiceBusMessage("again", message_id="a"))
        [first] = receive(once_receiver, 1, complete=True)
        assert str(first) == "first"
        assert once_receiver.peek_messages(sequence_number=1) == [], "its id was forgotten"


def wait_for_reconnection(receiver: ServiceBusReceiver) -> None:
    """The client notices the loss of its connection with an error, and connects anew after that."""
    for _ in range(5):
        with contextlib.suppress(ServiceBusError):
            receiver.peek_messages(sequence_number=1)
            return
    pytest.fail("the client did not reconnect")


def receive(
    receiver: ServiceBusReceiver, count: int, *, complete: bool = False
) -> list[ServiceBusReceivedMessage]:
    messages: list[ServiceBusReceivedMessage] = []
    deadline = time.monotonic() + 60
    while len(messages) < count and time.monotonic() < deadline:
        for message in receiver.receive_messages(count - len(messages), max_wait_time=1):
            messages.append(message)
            if complete:
                receiver.complete_message(message)
    assert len(messages) == count
    return messages


# This client forgets to close its transports as well.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_asynchronous_clients_go_on_after_a_kill(tmp_path: Path, configure: WriteConfig) -> None:
    with broker_process.running_broker(configure(_QUEUES), tmp_path / "state") as broker:
        async with (
            aio.ServiceBusClient.from_connection_string(broker.connection_string) as client,
            client.get_queue_sender("long-work") as sender,
            client.get_queue_receiver("long-work") as receiver,
            client.get_queue_receiver("work") as waiting,
        ):
            await sender.send_messages(
                [ServiceBusMessage(name) for name in ("settled", "abandoned", "ready")]
            )
            due = datetime.now(UTC) + timedelta(seconds=3)
            await sender.schedule_messages(ServiceBusMessage("scheduled"), due)
            settled, abandoned = await receive_asynchronously(receiver, 2)
            await receiver.complete_message(settled)
            await receiver.abandon_message(abandoned)
            blocked = asyncio.create_task(receive_asynchronously(waiting, 1))

            await asyncio.to_thread(broker.restart, kill=True)
            async with client.get_queue_sender("work") as another:
                await another.send_messages(ServiceBusMessage("woken"))
            [woken] = await blocked
            await waiting.complete_message(woken)
            found = await receive_asynchronously(receiver, 3)
            assert datetime.now(UTC) > due - timedelta(milliseconds=50)
            assert sorted((str(each), each.delivery_count) for each in found) == [
                ("abandoned", 1),
                ("ready", 0),
                ("scheduled", 0),
            ]
            await sender.send_messages(ServiceBusMessage("sent on the old link"))
            assert [str(each) for each in await receive_asynchronously(receiver, 1)] == [
                "sent on the old link"
            ]


async def receive_asynchronously(
    receiver: aio.ServiceBusReceiver, count: int
) -> list[ServiceBusReceivedMessage]:
    """Wait through the loss of the connection, which the client may or may not tell of."""
    messages: list[ServiceBusReceivedMessage] = []
    async with asyncio.timeout(60):
        while len(messages) < count:
            with contextlib.suppress(ServiceBusError):
                # The time must also do for opening the link anew.
                messages += await receiver.receive_messages(count - len(messages), max_wait_time=10)
    return messages


@dataclass
class Load:
    """What a producer was promised and what a consumer was confirmed."""

    connection_string: str
    acknowledged: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)  # the broker died before it could confirm
    finished: Event = field(default_factory=Event)

    def produce(self) -> None:
        with (
            ServiceBusClient.from_connection_string(self.connection_string, retry_total=0) as client,
            client.get_queue_sender("load") as sender,
        ):
            number = 0
            while not self.finished.is_set():
                number += 1
                try:
                    sender.send_messages(ServiceBusMessage(str(number)))
                except ServiceBusError:
                    time.sleep(0.1)  # not acknowledged: may or may not be there
                else:
                    self.acknowledged.append(str(number))

    def wait_for_acknowledged(self, count: int) -> None:
        deadline = time.monotonic() + 60
        while len(self.acknowledged) < count:
            assert time.monotonic() < deadline, "the producer does not get on"
            time.sleep(0.005)

    def consume(self) -> None:
        idle = 0
        with (
            ServiceBusClient.from_connection_string(self.connection_string, retry_total=0) as client,
            client.get_queue_receiver("load") as receiver,
        ):
            while idle < 4:
                had_any = self._consume_some(receiver)
                # Longer than the lock: what was locked and not settled has come back by then.
                idle = idle + 1 if self.finished.is_set() and not had_any else 0

    def _consume_some(self, receiver: ServiceBusReceiver) -> bool:
        try:
            messages = receiver.receive_messages(20, max_wait_time=1)
        except ServiceBusError:
            return True
        for message in messages:
            try:
                receiver.complete_message(message)
            except ServiceBusError:
                self.unsure.append(str(message))
                return True
            self.settled.append(str(message))
        return bool(messages)


def test_no_acknowledged_message_is_lost_and_no_settled_one_returns_under_kills(
    tmp_path: Path, configure: WriteConfig
) -> None:
    with (
        broker_process.running_broker(configure(_QUEUES), tmp_path / "state") as broker,
        ThreadPoolExecutor(2) as pool,
    ):
        load = Load(broker.connection_string)
        running = [pool.submit(load.produce), pool.submit(load.consume)]
        try:
            for count in (30, 60):
                load.wait_for_acknowledged(count)
                broker.restart(kill=True)
            load.wait_for_acknowledged(90)
        finally:
            load.finished.set()
        for each in running:
            each.result(timeout=30)
    lost = set(load.acknowledged) - set(load.settled) - set(load.unsure)
    assert lost == set(), "acknowledged and lost"
    assert len(load.unsure) < 10
    repeated = [number for number, times in Counter(load.settled).items() if times > 1]
    assert repeated == [], "settled and delivered again"
