"""Every operation that the product uses, by the unmodified asynchronous azure-servicebus client."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import pytest_asyncio
from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceivedMessage,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
)
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient, ServiceBusReceiver, ServiceBusSender
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusError,
)

from tests.integration import broker_process

pytestmark = pytest.mark.asyncio(loop_scope="module")

_QUEUES = (
    *(
        "plain",
        "abandoning",
        "dead-lettering",
        "scheduling",
        "peeking",
        "sizes",
        "refusing",
        "waking",
        "once",
    ),
    *("renewing", "auto-renewing", "expiring-locks", "giving-up", "dying", "vanishing", "prefetching"),
)
_WITH_DEAD_LETTERS = ("dead-lettering", "giving-up", "dying")


class Mailbox:
    """Senders and receivers kept for the whole module and opened side by side: opening is mostly sleeping."""

    def __init__(self, client: ServiceBusClient) -> None:
        self.client = client
        self._senders = {queue: client.get_queue_sender(queue) for queue in _QUEUES}
        self._receivers = {queue: client.get_queue_receiver(queue) for queue in _QUEUES}
        self._dead_letters = {
            queue: client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER)
            for queue in _WITH_DEAD_LETTERS
        }

    def _all(self) -> list[ServiceBusSender | ServiceBusReceiver]:
        return [*self._senders.values(), *self._receivers.values(), *self._dead_letters.values()]

    async def open(self) -> None:
        await asyncio.gather(*(each.__aenter__() for each in self._all()))

    async def close(self) -> None:
        await asyncio.gather(*(each.close() for each in self._all()))

    def ends(self, queue: str) -> tuple[ServiceBusSender, ServiceBusReceiver]:
        return self._senders[queue], self._receivers[queue]

    def dead_letters(self, queue: str) -> ServiceBusReceiver:
        return self._dead_letters[queue]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mailbox(broker: broker_process.BrokerProcess) -> AsyncIterator[Mailbox]:
    async with ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0) as client:
        opened = Mailbox(client)
        await opened.open()
        yield opened
        await opened.close()


async def receive(
    receiver: ServiceBusReceiver, count: int, limit_seconds: float = 30.0
) -> list[ServiceBusReceivedMessage]:
    """Receive until `count` messages are there; fail when they do not come."""
    messages: list[ServiceBusReceivedMessage] = []
    deadline = time.monotonic() + limit_seconds
    while len(messages) < count and time.monotonic() < deadline:
        messages += await receiver.receive_messages(count - len(messages), max_wait_time=1)
    assert len(messages) == count
    return messages


async def complete_all(receiver: ServiceBusReceiver, messages: list[ServiceBusReceivedMessage]) -> None:
    for message in messages:
        await receiver.complete_message(message)


def bodies(messages: list[ServiceBusReceivedMessage]) -> list[str]:
    return [str(message) for message in messages]


async def test_single_list_and_batch_sends_arrive_in_order_and_complete(mailbox: Mailbox) -> None:
    sender, receiver = mailbox.ends("plain")
    await sender.send_messages(ServiceBusMessage("single", message_id="1", application_properties={"a": 1}))
    await sender.send_messages([ServiceBusMessage(f"list {number}") for number in range(3)])
    batch = await sender.create_message_batch()
    for number in range(3):
        batch.add_message(ServiceBusMessage(f"batch {number}"))
    await sender.send_messages(batch)
    messages = await receive(receiver, 7)
    assert bodies(messages) == [
        "single",
        *(f"list {number}" for number in range(3)),
        *(f"batch {number}" for number in range(3)),
    ]
    assert messages[0].application_properties == {b"a": 1}
    await complete_all(receiver, messages)
    assert await receiver.peek_messages(sequence_number=1) == []


async def test_competing_receivers_get_each_message_once(mailbox: Mailbox) -> None:
    receivers = [mailbox.client.get_queue_receiver("competing") for _ in range(4)]
    done: list[str] = []

    async def work(receiver: ServiceBusReceiver) -> None:
        async with receiver:
            while len(done) < 60:
                for message in await receiver.receive_messages(3, max_wait_time=0.3):
                    await receiver.complete_message(message)
                    done.append(str(message))

    async with mailbox.client.get_queue_sender("competing") as sender:
        await sender.send_messages([ServiceBusMessage(str(number)) for number in range(60)])
        await asyncio.gather(*(work(receiver) for receiver in receivers))
    assert Counter(done) == Counter(str(number) for number in range(60))


async def test_waiting_receiver_is_woken_by_a_send(mailbox: Mailbox) -> None:
    sender, receiver = mailbox.ends("waking")
    waiting = asyncio.create_task(receiver.receive_messages(1, max_wait_time=60))
    await asyncio.sleep(0.3)
    began = time.monotonic()
    await sender.send_messages(ServiceBusMessage("now"))
    messages = await waiting
    assert time.monotonic() - began < 20
    await complete_all(receiver, messages)


async def test_receive_and_delete_leaves_nothing_behind(mailbox: Mailbox) -> None:
    async with (
        mailbox.client.get_queue_sender("deleting") as sender,
        mailbox.client.get_queue_receiver(
            "deleting", receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
        ) as receiver,
    ):
        await sender.send_messages([ServiceBusMessage("a"), ServiceBusMessage("b")])
        assert bodies(await receive(receiver, 2)) == ["a", "b"]
        assert await receiver.peek_messages(sequence_number=1) == []


async def test_abandoned_message_comes_back_first_and_counts_a_delivery(mailbox: Mailbox) -> None:
    sender, receiver = mailbox.ends("abandoning")
    await sender.send_messages([ServiceBusMessage("first"), ServiceBusMessage("second")])
    [message] = await receive(receiver, 1)
    await receiver.abandon_message(message)
    again = await receive(receiver, 2)
    assert [(str(each), each.delivery_count) for each in again] == [("first", 1), ("second", 0)]
    await complete_all(receiver, again)


async def test_dead_letter_carries_reason_and_source(mailbox: Mailbox) -> None:
    (sender, receiver), dead_letters = mailbox.ends("dead-lettering"), mailbox.dead_letters("dead-lettering")
    await sender.send_messages(ServiceBusMessage("broken"))
    [message] = await receive(receiver, 1)
    await receiver.dead_letter_message(message, reason="not_audio", error_description="It is text.")
    [peeked] = await dead_letters.peek_messages()
    [dead] = await receive(dead_letters, 1)
    for each in (peeked, dead):
        assert each.dead_letter_reason == "not_audio"
        assert each.dead_letter_error_description == "It is text."
        assert each.dead_letter_source == "dead-lettering"
    await dead_letters.complete_message(dead)


async def test_renewals_by_hand_and_by_auto_lock_renewer_outlive_the_lock(mailbox: Mailbox) -> None:
    async def by_hand() -> None:
        sender, receiver = mailbox.ends("renewing")
        await sender.send_messages(ServiceBusMessage("long work"))
        [message] = await receive(receiver, 1)
        first_end = message.locked_until_utc
        assert first_end is not None
        while datetime.now(UTC) < first_end + timedelta(milliseconds=100):
            await receiver.renew_message_lock(message)
            await asyncio.sleep(0.2)  # the lock is for 3 s
        await receiver.complete_message(message)

    async def by_renewer() -> None:
        sender, receiver = mailbox.ends("auto-renewing")
        async with AutoLockRenewer() as renewer:
            await sender.send_messages(ServiceBusMessage("longer work"))
            [message] = await receive(receiver, 1)
            renewer.register(receiver, message, max_lock_renewal_duration=30)
            await asyncio.sleep(5.5)  # the lock is for 5 s
            assert message.auto_renew_error is None
            await receiver.complete_message(message)

    await asyncio.gather(by_hand(), by_renewer())


async def test_expired_locks_redeliver_until_the_message_is_given_up(mailbox: Mailbox) -> None:
    async def late_settlement() -> None:
        sender, receiver = mailbox.ends("expiring-locks")
        await sender.send_messages(ServiceBusMessage("slow"))
        [late] = await receive(receiver, 1)
        [again] = await receive(receiver, 1)
        assert again.delivery_count == 1
        with pytest.raises(MessageLockLostError):
            await receiver.complete_message(late)
        with pytest.raises(MessageLockLostError):
            await receiver._renew_locks(late.lock_token)  # type: ignore[arg-type] # it takes UUIDs
        await receiver.complete_message(again)

    async def last_delivery() -> None:
        (sender, receiver), dead_letters = mailbox.ends("giving-up"), mailbox.dead_letters("giving-up")
        await sender.send_messages(ServiceBusMessage("poison"))
        for delivery_count in range(3):
            [message] = await receive(receiver, 1)
            assert message.delivery_count == delivery_count
        [dead] = await receive(dead_letters, 1)
        assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"
        await dead_letters.complete_message(dead)

    await asyncio.gather(late_settlement(), last_delivery())


async def test_scheduled_messages_wait_for_their_time_and_can_be_cancelled(mailbox: Mailbox) -> None:
    sender, receiver = mailbox.ends("scheduling")
    far_off = datetime.now(UTC) + timedelta(hours=1)
    numbers = await sender.schedule_messages(
        [ServiceBusMessage("waiting"), ServiceBusMessage("cancelled")], far_off
    )
    await sender.cancel_scheduled_messages(numbers[1])
    with pytest.raises(MessageNotFoundError):
        await sender.cancel_scheduled_messages(numbers[1])
    [peeked] = await receiver.peek_messages(10, sequence_number=1)
    assert (str(peeked), peeked.state) == ("waiting", ServiceBusMessageState.SCHEDULED)
    due = datetime.now(UTC) + timedelta(seconds=1)
    await sender.schedule_messages(ServiceBusMessage("kept"), due)
    await sender.send_messages(ServiceBusMessage("annotated", scheduled_enqueue_time_utc=due))
    messages = await receive(receiver, 2)
    assert datetime.now(UTC) >= due - timedelta(milliseconds=50)
    assert sorted(bodies(messages)) == ["annotated", "kept"]
    await complete_all(receiver, messages)


async def test_peek_browses_without_locking(mailbox: Mailbox) -> None:
    sender, receiver = mailbox.ends("peeking")
    await sender.send_messages([ServiceBusMessage(str(number)) for number in range(3)])
    assert bodies(await receiver.peek_messages(2, sequence_number=1)) == ["0", "1"]
    assert bodies(await receiver.peek_messages(2)) == ["2"]
    await complete_all(receiver, await receive(receiver, 3))


async def test_expired_messages_die_or_vanish_as_their_queue_says(
    mailbox: Mailbox, broker: broker_process.BrokerProcess
) -> None:
    dying, vanishing = mailbox.ends("dying")[0], mailbox.ends("vanishing")[0]
    dead_letters = mailbox.dead_letters("dying")
    await dying.send_messages(ServiceBusMessage("brief", time_to_live=timedelta(seconds=0.5)))
    await vanishing.send_messages(ServiceBusMessage("x"))
    [dead] = await receive(dead_letters, 1)
    assert (str(dead), dead.dead_letter_reason) == ("brief", "TTLExpiredException")
    await dead_letters.complete_message(dead)
    await wait_until(lambda: count(broker, "vanishing", "active"), 0)
    assert await count(broker, "vanishing", "dead_letter") == 0


async def count(broker: broker_process.BrokerProcess, queue: str, kind: str) -> int:
    async with httpx.AsyncClient() as http:
        return int((await http.get(broker.counts_url)).json()["queues"][queue][kind])


async def wait_until(
    observe: Callable[[], Awaitable[int]], expected: int, limit_seconds: float = 30.0
) -> None:
    deadline = time.monotonic() + limit_seconds
    while await observe() != expected:
        assert time.monotonic() < deadline, "the condition did not come true"
        await asyncio.sleep(0.05)


async def test_message_id_is_taken_once_within_the_window_however_it_is_sent(
    mailbox: Mailbox,
) -> None:
    sender, receiver = mailbox.ends("once")
    due = datetime.now(UTC) + timedelta(milliseconds=200)
    await sender.send_messages(ServiceBusMessage("single", message_id="aio a"))
    await sender.send_messages(ServiceBusMessage("again", message_id="aio a"))
    await sender.send_messages(
        [ServiceBusMessage(name, message_id=key) for name, key in (("x", "aio a"), ("b", "aio b"))]
    )
    await sender.schedule_messages(ServiceBusMessage("c", message_id="aio c"), due)
    await sender.schedule_messages(ServiceBusMessage("c again", message_id="aio c"), due)
    messages = await receive(receiver, 3)
    assert bodies(messages) == ["single", "b", "c"]
    await complete_all(receiver, messages)


async def test_large_messages_pass_and_too_large_ones_are_refused(mailbox: Mailbox) -> None:
    sender, receiver = mailbox.ends("sizes")
    large = bytes(range(256)) * 1000
    await sender.send_messages(ServiceBusMessage(large))
    [message] = await receive(receiver, 1)
    assert b"".join(message.body) == large
    await receiver.complete_message(message)
    with pytest.raises(MessageSizeExceededError):
        await sender.send_messages(ServiceBusMessage(b"x" * 300_000))
    with pytest.raises(MessageSizeExceededError):
        await sender.send_messages([ServiceBusMessage(b"x" * 150_000), ServiceBusMessage(b"x" * 150_000)])


async def test_missing_queue_is_named_at_once(mailbox: Mailbox) -> None:
    sender = mailbox.client.get_queue_sender("no-such-queue")
    with pytest.raises(MessagingEntityNotFoundError, match="no-such-queue"):
        await sender.send_messages(ServiceBusMessage("x"))
    await sender.close()


async def test_what_is_not_built_is_refused_at_once_and_says_so(mailbox: Mailbox) -> None:
    sender, receiver = mailbox.ends("refusing")
    await sender.send_messages(ServiceBusMessage("x"))
    [message] = await receive(receiver, 1)
    subscription = mailbox.client.get_subscription_receiver("topic", "subscription")
    session = mailbox.client.get_queue_receiver("refusing", session_id="s")

    async def refused(words: str, attempt: Awaitable[object]) -> None:
        with pytest.raises(ServiceBusError, match=words):
            await asyncio.wait_for(attempt, 20)  # without an answer the client waits a minute

    await asyncio.gather(
        refused("Deferring", receiver.defer_message(message)),
        refused("Sessions", sender.send_messages(ServiceBusMessage("y", session_id="s"))),
        refused("Sessions", session.receive_messages(max_wait_time=5)),
        refused("Topics", subscription.receive_messages(max_wait_time=5)),
    )
    await refused("Deferring", receiver.receive_deferred_messages([1]))
    await receiver._settle_message_via_mgmt_link("completed", [message.lock_token])  # type: ignore[no-untyped-call] # the SDK's
    assert await receiver.peek_messages(sequence_number=1) == []
    await asyncio.gather(session.close(), subscription.close())


async def test_closing_a_receiver_gives_prefetched_messages_back_uncounted(
    mailbox: Mailbox, broker: broker_process.BrokerProcess
) -> None:
    sender, receiver = mailbox.ends("prefetching")
    await sender.send_messages([ServiceBusMessage(str(number)) for number in range(10)])
    async with mailbox.client.get_queue_receiver("prefetching", prefetch_count=10) as prefetching:
        [message] = await receive(prefetching, 1)
        await prefetching.complete_message(message)
        await wait_until(lambda: count(broker, "prefetching", "locked"), 9)
    rest = await receive(receiver, 9)
    assert {each.delivery_count for each in rest} == {0}
    await complete_all(receiver, rest)
