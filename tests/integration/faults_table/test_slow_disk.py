"""A disk that is slow costs time, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from contracts import events, queues
from local_stack import free_ports
from local_stack.functions_host.durable import database
from local_stack.launcher import services
from tests.integration import azurite_process, broker_process
from tests.integration.durable import rig
from tests.integration.faults_table import asking
from tests.integration.worker_kit import worker_process

pytestmark = pytest.mark.acceptance_long

MESSAGES = 20
QUEUE = queues.Queue.JOB_EVENTS


def test_worker_keeps_its_message_for_longer_than_a_lock(
    storage: azurite_process.AzuriteProcess, broker: broker_process.BrokerProcess, tmp_path: Path
) -> None:
    with (
        asking.Asking(storage.connection_string, broker.connection_string) as app,
        worker_process.running_worker(
            "tests.integration.faults_table.slow_worker",
            storage=storage,
            broker=broker,
            log_path=tmp_path / "worker.log",
            environment={**asking.QUICK, "WORKSPACE_DIR": str(tmp_path / "space")},
        ) as worker,
    ):
        app.send(app.request("slow-disk"))
        assert isinstance(app.event().outcome, events.Completed)
        assert len(worker.logged("attempt_started")) == 1


@pytest.fixture
def slow_broker(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The connection string and the URL of the counts."""
    port, counts_port = free_ports.free_port(), free_ports.free_port()
    arguments = [str(services.QUEUES), str(tmp_path / "state"), str(port), str(counts_port)]
    command = [sys.executable, "-m", "tests.integration.faults_table.slow_broker", *arguments]
    with (tmp_path / "broker.log").open("w") as log:
        process = subprocess.Popen(command, cwd=worker_process.ROOT, stdout=log, stderr=log)
    counts = f"http://127.0.0.1:{counts_port}/counts"
    try:
        worker_process.wait_until(lambda: _answers(counts), within_seconds=30, what="the broker")
        yield (
            f"Endpoint=sb://localhost:{port};SharedAccessKeyName=k;SharedAccessKey=k;UseDevelopmentEmulator=true;",
            counts,
        )
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def test_broker_delivers_each_message_once(slow_broker: tuple[str, str]) -> None:
    connection, counts = slow_broker
    wanted = [str(number) for number in range(MESSAGES)]
    found: list[str] = []
    with (
        ServiceBusClient.from_connection_string(connection) as client,
        client.get_queue_sender(QUEUE) as sender,
        client.get_queue_receiver(QUEUE) as receiver,
    ):
        sender.send_messages([ServiceBusMessage(text) for text in wanted])
        while len(found) < MESSAGES:
            received = receiver.receive_messages(5, max_wait_time=30)
            assert received, f"only {found} came"
            for message in received:
                found.append(str(message))
                receiver.complete_message(message)
    assert found == wanted
    left = httpx.get(counts, trust_env=False).json()["queues"][QUEUE]
    assert not any(left.values()), left


def _adds_up(context: Any) -> Generator[Any, Any, Any]:
    numbers = yield context.task_all([context.call_activity("double", number) for number in range(8)])
    more = yield context.wait_for_external_event("go.1")
    return sum(numbers) + more


async def test_orchestration_comes_to_the_same_end(tmp_path: Path) -> None:
    def slowly(_point: database.CommitPoint, moment: database.Moment) -> None:
        if moment is database.Moment.BEFORE:
            time.sleep(0.1)

    durable = rig.build(tmp_path, _adds_up, activities={"double": lambda number: 2 * number}, watch=slowly)
    await durable.start()
    try:
        await durable.start_new("_adds_up", None, "one")
        await durable.raise_event("one", "go.1", "4")
        assert rig.output(await rig.until(durable, "one")) == 60
    finally:
        await durable.stop()
