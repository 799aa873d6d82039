"""The promises of the step sender, kept by the real client against the broker and by the twin alike."""

from __future__ import annotations

import gc
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage

from contracts import blobs, messages, params, steps
from contracts import queues as names
from function_app import errors, queues, queues_memory, queues_service_bus
from tests.integration import broker_process
from tests.integration.function_app import store_fixtures

CONFIG = Path(__file__).resolve().parents[3] / "local_stack" / "Config.json"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[broker_process.BrokerProcess]:
    with broker_process.running_broker(CONFIG, tmp_path_factory.mktemp("broker")) as running:
        yield running


def connect(connection_string: str) -> queues_service_bus.ServiceBusStepSender:
    return queues_service_bus.connect(
        store_fixtures.store_settings("postgresql://unused", service_bus_connection_string=connection_string)
    )


@pytest.fixture
def service_bus_sender(
    broker: broker_process.BrokerProcess,
) -> Iterator[queues_service_bus.ServiceBusStepSender]:
    sender = connect(broker.connection_string)
    yield sender
    sender.close()


def request(**overrides: Any) -> messages.StepRequest:
    values: dict[str, Any] = {
        "tenant_id": "default",
        "job_id": uuid.uuid4().hex,
        "run": 1,
        "step": steps.Step.PREPARE,
        "attempt": 1,
        "result": messages.ResultTarget(key="k", path="p"),
        "inputs": {
            messages.InputName.SOURCE: blobs.BlobReference(
                container=blobs.Container.AUDIO_FILES, path="default/x/source", etag='"1"'
            )
        },
        "params": params.PrepareParams(),
        "reply_to": messages.ReplyTo(instance_id="x.1", event_name="prepare.0.1"),
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "expires_at": datetime.now(UTC) + timedelta(minutes=10),
    }
    return messages.StepRequest(**(values | overrides))


def taken(broker: broker_process.BrokerProcess, queue: str, count: int) -> list[ServiceBusReceivedMessage]:
    """Receives and completes; asks for one more than wanted, so that one too many is seen."""
    found: list[ServiceBusReceivedMessage] = []
    with (
        ServiceBusClient.from_connection_string(broker.connection_string) as client,
        client.get_queue_receiver(queue) as receiver,
    ):
        while batch := receiver.receive_messages(
            max_message_count=10, max_wait_time=30 if len(found) < count else 1
        ):
            for message in batch:
                receiver.complete_message(message)
            found += batch
    return found


def test_request_arrives_once_with_its_identity_and_its_time_to_live(
    broker: broker_process.BrokerProcess, service_bus_sender: queues_service_bus.ServiceBusStepSender
) -> None:
    sent = request()
    for _ in range(3):
        service_bus_sender.send(sent)
    [message] = taken(broker, names.Queue.LID_JOBS, 1)
    assert message.message_id == f"{sent.job_id}.1:prepare:0:1"
    assert message.content_type == "application/json"
    assert message.correlation_id == "x.1"
    assert messages.StepRequest.model_validate_json(b"".join(message.body)) == sent
    assert message.time_to_live is not None
    assert timedelta(minutes=9) < message.time_to_live <= timedelta(minutes=10)
    assert (message.application_properties or {})[b"traceparent"] == str(sent.traceparent).encode()


def test_threads_share_a_sender(
    broker: broker_process.BrokerProcess, service_bus_sender: queues_service_bus.ServiceBusStepSender
) -> None:
    requests = [request(attempt=attempt) for attempt in range(1, 33)]

    def send(part: list[messages.StepRequest]) -> None:
        for one in part:
            service_bus_sender.send(one)

    threads = [threading.Thread(target=send, args=(requests[n::8],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(taken(broker, names.Queue.LID_JOBS, 32)) == 32


# A transport of the SDK that loses its connection drops its socket without closing it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_sender_outlives_its_broker(tmp_path: Path) -> None:
    with broker_process.running_broker(CONFIG, tmp_path / "state") as broker:
        sender = connect(broker.connection_string)
        sender.send(request())
        broker.kill()
        with pytest.raises(errors.QueueUnavailableError):
            sender.send(request())
        broker.start()
        sender.send(request())
        sender.ping()
        assert len(taken(broker, names.Queue.LID_JOBS, 2)) == 2
        sender.close()
        # Here and not in the middle of another test.
        gc.collect()


@pytest.fixture(params=["memory", "service bus"])
def sender(request: pytest.FixtureRequest) -> queues.StepSender:
    if request.param == "memory":
        return queues_memory.MemoryStepSender()
    real: queues.StepSender = request.getfixturevalue("service_bus_sender")
    return real


def test_request_that_is_late_already_is_taken_without_an_error(sender: queues.StepSender) -> None:
    sender.send(request(expires_at=datetime.now(UTC) - timedelta(hours=1)))
    sender.ping()


def test_twin_keeps_one_of_equal_requests() -> None:
    twin = queues_memory.MemoryStepSender()
    first, second = request(), request()
    for one in (first, second, first):
        twin.send(one)
    assert twin.sent == (first, second)
    twin.away = True
    with pytest.raises(errors.QueueUnavailableError):
        twin.send(first)
