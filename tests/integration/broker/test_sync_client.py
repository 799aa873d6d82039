"""Every operation that the product uses, by the unmodified synchronous azure-servicebus client."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from azure.servicebus import (
    AutoLockRenewer,
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceivedMessage,
    ServiceBusReceiveMode,
    ServiceBusReceiver,
    ServiceBusSender,
    ServiceBusSubQueue,
)
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusError,
)

from tests.integration import broker_process


class Mailbox:
    """Senders and receivers kept for the whole module, opened and closed side by side.

    Opening one takes half a second of the client's own sleeping, closing a synchronous one a second.
    """

    def __init__(self, connection_string: str) -> None:
        self.client = ServiceBusClient.from_connection_string(connection_string, retry_total=0)
        self._made: dict[Any, Any] = {}

    def open(self) -> None:
        """Open what every scenario needs."""
        for queue in _WITH_DEAD_LETTERS:
            self.dead_letters(queue)
        for queue in _QUEUES:
            self.sender(queue)
            self.receiver(queue)
        with ThreadPoolExecutor(len(self._made)) as pool:
            list(pool.map(lambda each: each.__enter__(), self._made.values()))

    def sender(self, queue: str) -> ServiceBusSender:
        sender: ServiceBusSender = self.once(("sender", queue), lambda: self.client.get_queue_sender(queue))
        return sender

    def receiver(self, queue: str, **options: Any) -> ServiceBusReceiver:
        key = (queue, *sorted((name, str(value)) for name, value in options.items()))
        receiver: ServiceBusReceiver = self.once(
            key, lambda: self.client.get_queue_receiver(queue, **options)
        )
        return receiver

    def dead_letters(self, queue: str) -> ServiceBusReceiver:
        return self.receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def close(self) -> None:
        with ThreadPoolExecutor(len(self._made)) as pool:
            list(pool.map(lambda each: each.close(), self._made.values()))
        self.client.close()


_QUEUES = (
    *(
        "plain",
        "lists",
        "credit",
        "abandoning",
        "dead-lettering",
        "scheduling",
        "peeking",
        "sizes",
        "refusing",
    ),
    *("counting", "renewing", "auto-renewing", "expiring-locks", "giving-up", "dying", "vanishing", "once"),
    "once-in-a-while",
)
_WITH_DEAD_LETTERS = ("dead-lettering", "giving-up", "dying")


@pytest.fixture(scope="module")
def mailbox(broker: broker_process.BrokerProcess) -> Iterator[Mailbox]:
    with contextlib.closing(Mailbox(broker.connection_string)) as opened:
        opened.open()
        yield opened


def receive(
    receiver: ServiceBusReceiver, count: int, limit_seconds: float = 30.0
) -> list[ServiceBusReceivedMessage]:
    """Receive until `count` messages are there; fail when they do not come."""
    messages: list[ServiceBusReceivedMessage] = []
    deadline = time.monotonic() + limit_seconds
    while len(messages) < count and time.monotonic() < deadline:
        messages += receiver.receive_messages(count - len(messages), max_wait_time=1)
    assert len(messages) == count
    return messages


def is_empty(receiver: ServiceBusReceiver) -> bool:
    return not receiver.receive_messages(1, max_wait_time=0.3)


def bodies(messages: list[ServiceBusReceivedMessage]) -> list[str]:
    return [str(message) for message in messages]


def test_message_arrives_with_all_its_properties_and_is_gone_after_complete(mailbox: Mailbox) -> None:
    sent = ServiceBusMessage(
        b"\x00\xffbody",
        message_id="job.1:transcribe:0:1",
        application_properties={"tenant": "contoso", "attempt": 2, "exact": 0.5},
        subject="transcribe",
        correlation_id="trace",
        content_type="application/json",
        time_to_live=timedelta(hours=2),
    )
    before = datetime.now(UTC)
    mailbox.sender("plain").send_messages(sent)
    receiver = mailbox.receiver("plain")
    [message] = receive(receiver, 1)
    assert b"".join(message.body) == b"\x00\xffbody"
    assert message.message_id == "job.1:transcribe:0:1"
    assert message.application_properties == {
        b"tenant": b"contoso",
        b"attempt": 2,
        b"exact": 0.5,
    }
    assert (message.subject, message.correlation_id) == ("transcribe", "trace")
    assert message.content_type == "application/json"
    assert message.time_to_live == timedelta(hours=2)
    assert message.delivery_count == 0
    assert message.sequence_number is not None
    assert message.enqueued_time_utc is not None
    assert abs(message.enqueued_time_utc - before) < timedelta(seconds=5)
    assert message.locked_until_utc is not None
    assert timedelta(seconds=25) < message.locked_until_utc - before < timedelta(seconds=35)
    receiver.complete_message(message)
    assert receiver.peek_messages(sequence_number=1) == []


def test_list_and_batch_sends_keep_their_order(mailbox: Mailbox) -> None:
    sender, receiver = mailbox.sender("lists"), mailbox.receiver("lists")
    sender.send_messages([ServiceBusMessage(f"list {number}") for number in range(20)])
    batch = sender.create_message_batch()
    for number in range(20):
        batch.add_message(ServiceBusMessage(f"batch {number}"))
    sender.send_messages(batch)
    messages = receive(receiver, 40)
    expected = [f"list {number}" for number in range(20)] + [f"batch {number}" for number in range(20)]
    assert bodies(messages) == expected
    for message in messages:
        receiver.complete_message(message)


def test_receiver_gets_no_more_than_it_gave_credit_for(mailbox: Mailbox) -> None:
    mailbox.sender("credit").send_messages([ServiceBusMessage(str(number)) for number in range(5)])
    first, second = mailbox.receiver("credit"), mailbox.receiver("credit", client_identifier="second")
    taken = receive(first, 2)
    rest = receive(second, 3)
    assert sorted(bodies(taken) + bodies(rest)) == ["0", "1", "2", "3", "4"]
    for receiver, messages in ((first, taken), (second, rest)):
        for message in messages:
            receiver.complete_message(message)


def test_receive_and_delete_leaves_nothing_behind(
    mailbox: Mailbox, broker: broker_process.BrokerProcess
) -> None:
    mailbox.sender("deleting").send_messages([ServiceBusMessage("a"), ServiceBusMessage("b")])
    receiver = mailbox.receiver("deleting", receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE)
    assert bodies(receive(receiver, 2)) == ["a", "b"]
    assert counts(broker, "deleting") == {"active": 0, "scheduled": 0, "dead_letter": 0, "locked": 0}


def counts(broker: broker_process.BrokerProcess, queue: str) -> dict[str, int]:
    found: dict[str, int] = httpx.get(broker.counts_url).raise_for_status().json()["queues"][queue]
    return found


def test_abandoned_message_comes_back_first_and_counts_a_delivery(mailbox: Mailbox) -> None:
    mailbox.sender("abandoning").send_messages([ServiceBusMessage("first"), ServiceBusMessage("second")])
    receiver = mailbox.receiver("abandoning")
    [message] = receive(receiver, 1)
    receiver.abandon_message(message)
    again = receive(receiver, 2)
    assert [(str(message), message.delivery_count) for message in again] == [("first", 1), ("second", 0)]
    for message in again:
        receiver.complete_message(message)


def test_dead_letter_carries_reason_and_source_and_can_be_peeked_abandoned_and_completed(
    mailbox: Mailbox,
) -> None:
    mailbox.sender("dead-lettering").send_messages(
        ServiceBusMessage("broken", application_properties={"kept": "yes"})
    )
    receiver, dead_letters = mailbox.receiver("dead-lettering"), mailbox.dead_letters("dead-lettering")
    [message] = receive(receiver, 1)
    receiver.dead_letter_message(message, reason="not_audio", error_description="The file is text.")
    assert is_empty(receiver)
    [peeked] = dead_letters.peek_messages()
    assert (peeked.dead_letter_reason, str(peeked)) == ("not_audio", "broken")
    [dead] = receive(dead_letters, 1)
    dead_letters.abandon_message(dead)
    [dead] = receive(dead_letters, 1)
    assert dead.dead_letter_reason == "not_audio"
    assert dead.dead_letter_error_description == "The file is text."
    assert dead.dead_letter_source == "dead-lettering"
    assert dead.application_properties is not None
    assert dead.application_properties[b"kept"] == b"yes"
    assert dead.delivery_count == 1
    dead_letters.renew_message_lock(dead)
    dead_letters.complete_message(dead)
    assert dead_letters.peek_messages(sequence_number=1) == []


def test_renewals_by_hand_and_by_auto_lock_renewer_outlive_the_lock(mailbox: Mailbox) -> None:
    def by_hand() -> None:
        mailbox.sender("renewing").send_messages(ServiceBusMessage("long work"))
        receiver = mailbox.receiver("renewing")
        [message] = receive(receiver, 1)
        first_end = message.locked_until_utc
        assert first_end is not None
        while datetime.now(UTC) < first_end + timedelta(milliseconds=100):
            assert receiver.renew_message_lock(message) >= first_end
            time.sleep(0.2)  # the lock is for 3 s
        receiver.complete_message(message)

    def by_renewer() -> None:
        mailbox.sender("auto-renewing").send_messages(ServiceBusMessage("longer work"))
        receiver = mailbox.receiver("auto-renewing")
        with AutoLockRenewer() as renewer:
            [message] = receive(receiver, 1)
            renewer.register(receiver, message, max_lock_renewal_duration=30)
            time.sleep(5.5)  # the lock is for 5 s
            assert message.auto_renew_error is None
            receiver.complete_message(message)
        assert receiver.peek_messages(sequence_number=1) == []

    with ThreadPoolExecutor(2) as pool:
        for finished in [pool.submit(by_hand), pool.submit(by_renewer)]:
            finished.result()


def test_expired_lock_redelivers_and_the_late_settlement_is_refused(mailbox: Mailbox) -> None:
    mailbox.sender("expiring-locks").send_messages(ServiceBusMessage("slow"))
    receiver = mailbox.receiver("expiring-locks")
    [late] = receive(receiver, 1)
    [again] = receive(receiver, 1)
    assert again.delivery_count == 1
    with pytest.raises(MessageLockLostError):
        receiver.complete_message(late)  # refused by the client's own clock
    with pytest.raises(MessageLockLostError):
        settle_unchecked(receiver, late)  # refused by the broker
    with pytest.raises(MessageLockLostError):
        receiver._renew_locks(late.lock_token)  # type: ignore[arg-type] # it takes UUIDs
    receiver.complete_message(again)


def settle_unchecked(receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage) -> None:
    """Complete without the client's own look at the clock."""
    receiver._do_retryable_operation(receiver._settle_message, message=message, settle_operation="complete")


def test_message_that_is_never_settled_is_dead_lettered_after_its_last_delivery(mailbox: Mailbox) -> None:
    mailbox.sender("giving-up").send_messages(ServiceBusMessage("poison"))
    receiver = mailbox.receiver("giving-up")
    for delivery_count in range(3):
        [message] = receive(receiver, 1)
        assert message.delivery_count == delivery_count
        if delivery_count:  # once by an expired lock, twice by abandoning, unless the lock ends before that
            with contextlib.suppress(MessageLockLostError):
                receiver.abandon_message(message)
    [dead] = receive(mailbox.dead_letters("giving-up"), 1)
    assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"
    assert dead.delivery_count == 3
    mailbox.dead_letters("giving-up").complete_message(dead)


def test_scheduled_messages_wait_for_their_time_and_can_be_cancelled(
    mailbox: Mailbox, broker: broker_process.BrokerProcess
) -> None:
    sender, receiver = mailbox.sender("scheduling"), mailbox.receiver("scheduling")
    far_off = datetime.now(UTC) + timedelta(hours=1)
    [*_waiting, cancelled] = sender.schedule_messages(
        [ServiceBusMessage("waiting"), ServiceBusMessage("cancelled")], far_off
    )
    sender.send_messages(ServiceBusMessage("waiting, too", scheduled_enqueue_time_utc=far_off))
    assert counts(broker, "scheduling")["scheduled"] == 3
    sender.cancel_scheduled_messages(cancelled)
    with pytest.raises(MessageNotFoundError):
        sender.cancel_scheduled_messages(cancelled)
    assert is_empty(receiver)
    peeked = receiver.peek_messages(10, sequence_number=1)
    assert bodies(peeked) == ["waiting", "waiting, too"]
    assert {message.state for message in peeked} == {ServiceBusMessageState.SCHEDULED}
    due = datetime.now(UTC) + timedelta(seconds=1)
    [kept] = sender.schedule_messages(ServiceBusMessage("kept"), due)
    sender.send_messages(ServiceBusMessage("annotated", scheduled_enqueue_time_utc=due))
    messages = receive(receiver, 2)
    assert datetime.now(UTC) >= due - timedelta(milliseconds=50)
    assert sorted(bodies(messages)) == ["annotated", "kept"]
    assert kept not in [message.sequence_number for message in messages]  # appended anew, as in Azure
    for message in messages:
        receiver.complete_message(message)


def test_peek_browses_without_locking_from_a_sequence_number(mailbox: Mailbox) -> None:
    mailbox.sender("peeking").send_messages([ServiceBusMessage(str(number)) for number in range(4)])
    receiver = mailbox.receiver("peeking")
    first = receiver.peek_messages(2, sequence_number=1)
    following = receiver.peek_messages(10)
    assert (bodies(first), bodies(following)) == (["0", "1"], ["2", "3"])
    assert first[0].state is ServiceBusMessageState.ACTIVE
    assert first[0].delivery_count == 0
    locked = receive(receiver, 4)
    assert bodies(receiver.peek_messages(10, sequence_number=1)) == ["0", "1", "2", "3"]
    for message in locked:
        receiver.complete_message(message)


def test_expired_message_is_dead_lettered_where_the_queue_says_so(mailbox: Mailbox) -> None:
    mailbox.sender("dying").send_messages(
        [ServiceBusMessage("brief", time_to_live=timedelta(seconds=0.5)), ServiceBusMessage("lasting")]
    )
    [dead] = receive(mailbox.dead_letters("dying"), 1)
    assert (str(dead), dead.dead_letter_reason) == ("brief", "TTLExpiredException")
    mailbox.dead_letters("dying").complete_message(dead)
    [message] = receive(mailbox.receiver("dying"), 1)
    assert str(message) == "lasting"
    mailbox.receiver("dying").complete_message(message)


def test_expired_message_vanishes_where_the_queue_does_not_dead_letter(
    mailbox: Mailbox, broker: broker_process.BrokerProcess
) -> None:
    mailbox.sender("vanishing").send_messages(ServiceBusMessage("x", time_to_live=timedelta(hours=1)))
    wait_until(lambda: counts(broker, "vanishing")["active"] == 0)
    assert is_empty(mailbox.receiver("vanishing"))
    assert counts(broker, "vanishing")["dead_letter"] == 0


def wait_until(condition: Callable[[], bool], limit_seconds: float = 30.0) -> None:
    deadline = time.monotonic() + limit_seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.05)


def test_message_id_is_taken_once_within_the_window_however_it_is_sent(mailbox: Mailbox) -> None:
    sender, receiver = mailbox.sender("once"), mailbox.receiver("once")
    due = datetime.now(UTC) + timedelta(milliseconds=200)
    sender.send_messages(ServiceBusMessage("single", message_id="a"))
    sender.send_messages(ServiceBusMessage("again", message_id="a"))
    sender.send_messages(
        [ServiceBusMessage(name, message_id=key) for name, key in (("x", "a"), ("b", "b"), ("y", "b"))]
    )
    sender.schedule_messages(ServiceBusMessage("scheduled", message_id="c"), due)
    sender.schedule_messages(ServiceBusMessage("scheduled again", message_id="c"), due)
    sender.send_messages(ServiceBusMessage("z", message_id="c"))
    messages = receive(receiver, 3)
    assert bodies(messages) == ["single", "b", "scheduled"]
    for message in messages:
        receiver.complete_message(message)
    sender.send_messages(ServiceBusMessage("after completion", message_id="a"))
    assert is_empty(receiver)


def test_message_id_is_free_again_after_the_window(mailbox: Mailbox) -> None:
    sender, receiver = mailbox.sender("once-in-a-while"), mailbox.receiver("once-in-a-while")
    sender.send_messages(ServiceBusMessage("first", message_id="a"))
    time.sleep(0.6)
    sender.send_messages(ServiceBusMessage("second", message_id="a"))
    messages = receive(receiver, 2)
    assert bodies(messages) == ["first", "second"]
    for message in messages:
        receiver.complete_message(message)


def test_large_messages_pass_and_too_large_ones_are_refused(mailbox: Mailbox) -> None:
    sender, receiver = mailbox.sender("sizes"), mailbox.receiver("sizes")
    large = bytes(range(256)) * 1000  # several frames
    sender.send_messages(ServiceBusMessage(large))
    [message] = receive(receiver, 1)
    assert b"".join(message.body) == large
    receiver.complete_message(message)
    with pytest.raises(MessageSizeExceededError):
        sender.send_messages(ServiceBusMessage(b"x" * 300_000))
    with pytest.raises(MessageSizeExceededError):
        sender.send_messages([ServiceBusMessage(b"x" * 150_000), ServiceBusMessage(b"x" * 150_000)])
    batch = sender.create_message_batch()
    assert batch.max_size_in_bytes == 256 * 1024
    assert is_empty(receiver)


def test_missing_queue_is_named_at_once(mailbox: Mailbox) -> None:
    with pytest.raises(MessagingEntityNotFoundError, match="no-such-queue"):
        mailbox.sender("no-such-queue").send_messages(ServiceBusMessage("x"))
    with pytest.raises(MessagingEntityNotFoundError, match="no-such-queue"):
        mailbox.receiver("no-such-queue", sub_queue="deadletter").receive_messages(max_wait_time=5)


def test_what_is_not_built_is_refused_at_once_and_says_so(mailbox: Mailbox) -> None:
    sender, receiver = mailbox.sender("refusing"), mailbox.receiver("refusing")
    sender.send_messages(ServiceBusMessage("x"))
    [message] = receive(receiver, 1)
    client = mailbox.client
    attempts: list[tuple[str, Callable[[], object]]] = [
        ("Deferring", lambda: receiver.defer_message(message)),
        ("Sessions", lambda: sender.send_messages(ServiceBusMessage("y", session_id="s"))),
        ("Sessions", lambda: mailbox.receiver("refusing", session_id="s").receive_messages(max_wait_time=5)),
        (
            "Topics",
            lambda: mailbox.once(
                "subscription", lambda: client.get_subscription_receiver("topic", "subscription")
            ).receive_messages(max_wait_time=5),
        ),
        ("dead letters", lambda: mailbox.sender("refusing/$DeadLetterQueue").send_messages(message)),
    ]

    def refused(words: str, attempt: Callable[[], object]) -> None:
        began = time.monotonic()
        with pytest.raises(ServiceBusError, match=words):
            attempt()
        assert time.monotonic() - began < 20  # without an answer the client waits a minute

    with ThreadPoolExecutor(len(attempts)) as pool:
        list(pool.map(lambda row: refused(*row), attempts))
    refused("Deferring", lambda: receiver.receive_deferred_messages([1]))
    # Refusing left the lock in place; the client dropped its link, so it settles by request.
    assert message.lock_token is not None
    receiver._settle_message_via_mgmt_link("completed", [message.lock_token])
    assert receiver.peek_messages(sequence_number=1) == []


def test_closing_a_receiver_gives_prefetched_messages_back_uncounted(
    mailbox: Mailbox, broker: broker_process.BrokerProcess
) -> None:
    mailbox.sender("prefetching").send_messages([ServiceBusMessage(str(number)) for number in range(10)])
    with mailbox.client.get_queue_receiver("prefetching", prefetch_count=10) as prefetching:
        [message] = receive(prefetching, 1)
        prefetching.complete_message(message)
        wait_until(lambda: counts(broker, "prefetching")["locked"] == 9)
    receiver = mailbox.receiver("prefetching")
    rest = receive(receiver, 9)
    assert {message.delivery_count for message in rest} == {0}
    for message in rest:
        receiver.complete_message(message)


def test_counts_tell_active_scheduled_dead_and_locked(
    mailbox: Mailbox, broker: broker_process.BrokerProcess
) -> None:
    sender, receiver = mailbox.sender("counting"), mailbox.receiver("counting")
    sender.send_messages([ServiceBusMessage(str(number)) for number in range(4)])
    sender.schedule_messages(ServiceBusMessage("later"), datetime.now(UTC) + timedelta(hours=1))
    [dead, _locked] = receive(receiver, 2)
    receiver.dead_letter_message(dead, reason="r", error_description="d")
    assert counts(broker, "counting") == {"active": 3, "scheduled": 1, "dead_letter": 1, "locked": 1}
    health = httpx.get(broker.counts_url.replace("/counts", "/health"))
    assert health.json() == {"status": "ok"}
