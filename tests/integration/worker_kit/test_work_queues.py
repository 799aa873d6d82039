"""One contract, two queues: the broker through the SDK, and its twin in memory."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.amqp import AmqpAnnotatedMessage
from pydantic import SecretStr

from contracts import events, identity, queues, steps
from tests.integration import broker_process
from tests.unit.worker_kit import builders
from worker_kit import errors, service_bus
from worker_kit.memory_queue import MemoryQueue
from worker_kit.queues import ReceivedMessage, WorkQueue
from worker_kit.settings import WorkerSettings


@dataclass(kw_only=True)
class Bench:
    """A queue and a way to put messages into it."""

    queue: WorkQueue
    put: Callable[[str], Awaitable[None]]

    async def take(self) -> ReceivedMessage:
        message = await self.queue.receive(max_wait_seconds=10)
        assert message is not None
        return message


def settings(broker: broker_process.BrokerProcess) -> WorkerSettings:
    return builders.settings(service_bus_connection_string=SecretStr(broker.connection_string))


@pytest.fixture(params=["service-bus", "memory"])
async def bench(request: pytest.FixtureRequest, broker: broker_process.BrokerProcess) -> AsyncIterator[Bench]:
    if request.param == "memory":
        memory = MemoryQueue()

        async def put(body: str) -> None:
            memory.put(body.encode(), message_id=body)

        yield Bench(queue=memory, put=put)
        return
    async with _client(broker) as client, client.get_queue_sender(queues.Queue.LID_JOBS) as sender:

        async def send(body: str) -> None:
            await sender.send_messages(ServiceBusMessage(body, message_id=body))

        queue = service_bus.open_queue(settings(broker), queues.Queue.LID_JOBS)
        yield Bench(queue=queue, put=send)
        await queue.close()


@contextlib.asynccontextmanager
async def _client(broker: broker_process.BrokerProcess) -> AsyncIterator[ServiceBusClient]:
    async with ServiceBusClient.from_connection_string(broker.connection_string) as client:
        yield client


async def test_message_comes_with_what_the_worker_needs(bench: Bench) -> None:
    await bench.put("one")
    message = await bench.take()
    assert (message.body, message.message_id, message.delivery_count) == (b"one", "one", 0)
    assert message.locked_until > message.enqueued_at
    await bench.queue.complete(message)


async def test_empty_queue_gives_nothing_after_the_wait(bench: Bench) -> None:
    assert await bench.queue.receive(max_wait_seconds=0.2) is None


async def test_message_that_arrives_after_a_fruitless_receive_is_received(bench: Bench) -> None:
    assert await bench.queue.receive(max_wait_seconds=0.2) is None
    await bench.put("late")
    await bench.queue.complete(await bench.take())
    assert await bench.queue.receive(max_wait_seconds=0.2) is None


async def test_abandoned_message_comes_back_with_its_delivery_counted(bench: Bench) -> None:
    await bench.put("again")
    await bench.queue.abandon(await bench.take())
    second = await bench.take()
    assert (second.message_id, second.delivery_count) == ("again", 1)
    await bench.queue.complete(second)


async def test_several_messages_are_held_renewed_and_settled_side_by_side(bench: Bench) -> None:
    for name in ("a", "b", "c"):
        await bench.put(name)
    held = [await bench.take() for _ in range(3)]
    assert {message.message_id for message in held} == {"a", "b", "c"}
    expiries = await asyncio.gather(*(bench.queue.renew(message) for message in held))
    assert all(expiry > datetime.now(UTC) for expiry in expiries)
    await asyncio.gather(*(bench.queue.complete(message) for message in held))
    assert await bench.queue.receive(max_wait_seconds=0.2) is None


async def test_settled_message_cannot_be_settled_again(bench: Bench) -> None:
    await bench.put("once")
    message = await bench.take()
    await bench.queue.complete(message)
    with pytest.raises((errors.LockLostError, errors.QueueUnavailableError)):
        await bench.queue.complete(message)


async def test_no_message_is_locked_by_a_queue_that_withdrew_its_credit(bench: Bench) -> None:
    assert await bench.queue.receive(max_wait_seconds=0.2) is None
    await bench.queue.withdraw_credit()
    await bench.put("free")
    message = await bench.take()
    assert message.delivery_count == 0
    await bench.queue.complete(message)


async def test_ping_answers(bench: Bench) -> None:
    await bench.queue.ping()
    await bench.queue.ping()


@pytest.mark.parametrize(
    "description",
    [
        "The message is not JSON.",
        # A reason that quotes what it refuses.
        "The message has schema version " + "9" * 100_000,
    ],
    ids=["short", "long"],
)
async def test_dead_letter_carries_reason_and_sentence(
    broker: broker_process.BrokerProcess, description: str
) -> None:
    queue = service_bus.open_queue(settings(broker), queues.Queue.WHISPER_JOBS)
    async with _client(broker) as client:
        async with client.get_queue_sender(queues.Queue.WHISPER_JOBS) as sender:
            await sender.send_messages(ServiceBusMessage("poison"))
        message = await queue.receive(max_wait_seconds=10)
        assert message is not None
        await queue.dead_letter(message, reason="invalid_message", description=description)
        dead_letters = client.get_queue_receiver(
            queues.Queue.WHISPER_JOBS, sub_queue=ServiceBusSubQueue.DEAD_LETTER
        )
        async with dead_letters:
            (dead,) = await dead_letters.receive_messages(max_wait_time=10)
            await dead_letters.complete_message(dead)
    assert dead.dead_letter_reason == "invalid_message"
    assert dead.dead_letter_error_description == description[:4096]
    await queue.close()


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (AmqpAnnotatedMessage(data_body=[b"two ", b"parts"]), b"two parts"),
        (AmqpAnnotatedMessage(value_body="text"), b"text"),
        (AmqpAnnotatedMessage(value_body={"not": "text"}), b""),
        (AmqpAnnotatedMessage(sequence_body=[["not"], ["text"]]), b""),
    ],
    ids=["data", "text", "map", "sequence"],
)
async def test_message_with_any_body_is_received(
    broker: broker_process.BrokerProcess, sent: AmqpAnnotatedMessage, received: bytes
) -> None:
    queue = service_bus.open_queue(settings(broker), queues.Queue.WHISPER_JOBS)
    async with _client(broker) as client, client.get_queue_sender(queues.Queue.WHISPER_JOBS) as sender:
        await sender.send_messages(sent)
    message = await queue.receive(max_wait_seconds=10)
    assert message is not None
    assert message.body == received
    await queue.complete(message)
    await queue.close()


async def test_event_reaches_its_queue_under_its_id(broker: broker_process.BrokerProcess) -> None:
    request = builders.request()
    event = events.StepFinished(
        tenant_id=request.tenant_id,
        job_id=request.job_id,
        run=request.run,
        step=steps.Step.PREPARE,
        attempt=1,
        reply_to=request.reply_to,
        outcome=events.Cancelled(),
        finished_at=datetime.now(UTC),
    )
    sender = service_bus.open_events(settings(broker))
    await sender.send(event)
    await sender.close()
    async with _client(broker) as client, client.get_queue_receiver(queues.Queue.JOB_EVENTS) as receiver:
        (message,) = await receiver.receive_messages(max_wait_time=10)
        await receiver.complete_message(message)
    assert events.StepFinished.model_validate_json(str(message)) == event
    assert message.message_id == "job.1:prepare:0:1:cancelled"
    assert message.correlation_id == identity.instance_id(job_id="job", run=1)


# The SDK leaves the socket of a connection that was cut to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_broker_that_is_killed_is_an_error_and_its_return_is_found(tmp_path: Path) -> None:
    config = Path(__file__).parents[3] / "local_stack" / "Config.json"
    with broker_process.running_broker(config, tmp_path / "state") as broker:
        queue = service_bus.open_queue(settings(broker), queues.Queue.LID_JOBS)
        assert await queue.receive(max_wait_seconds=0.2) is None
        broker.kill()
        with pytest.raises(errors.QueueUnavailableError):
            await queue.receive(max_wait_seconds=0.5)
        with pytest.raises(errors.QueueUnavailableError):
            await queue.ping()
        broker.restart()
        await queue.ping()
        assert await queue.receive(max_wait_seconds=0.2) is None
        await queue.close()
    del queue
    gc.collect()
