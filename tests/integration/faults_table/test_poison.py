"""A recording that kills every worker ends among the dead letters, and its neighbours end as they should."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusSubQueue

from contracts import events, queues
from tests.integration import azurite_process, broker_process
from tests.integration.faults_table import asking, poisoned_worker
from tests.integration.worker_kit import servers, worker_process

pytestmark = [pytest.mark.acceptance_long, pytest.mark.timeout(300)]

DELIVERIES: Final = 3
NEIGHBOURS: Final = ("before", "beside", "behind")
LIMIT_SECONDS: Final = 200.0


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[broker_process.BrokerProcess]:
    """A broker that gives a message up after few deliveries."""
    written = json.dumps(servers.configuration())
    config = tmp_path / "Config.json"
    config.write_text(written.replace('"MaxDeliveryCount": 10', f'"MaxDeliveryCount": {DELIVERIES}'))
    with broker_process.running_broker(config, tmp_path / "state") as running:
        yield running


def test_message_that_kills_its_worker_is_put_aside_and_harms_no_other(
    storage: azurite_process.AzuriteProcess, impatient: broker_process.BrokerProcess, tmp_path: Path
) -> None:
    settings = {
        **asking.QUICK,
        "MAX_CONCURRENT_STEPS": "3",
        "WORKSPACE_DIR": str(tmp_path / "space"),
        "AZURE_STORAGE_CONNECTION_STRING": storage.connection_string,
        "SERVICE_BUS_CONNECTION_STRING": impatient.connection_string,
    }
    worker = worker_process.WorkerProcess(poisoned_worker.__name__, settings, tmp_path / "worker.log")
    with asking.Asking(storage.connection_string, impatient.connection_string) as app:
        before, beside, behind = NEIGHBOURS
        for job_id in (before, poisoned_worker.POISON, beside, behind):
            app.send(app.request(job_id))
        deaths = _restart_until(worker, lambda: _given_up(impatient))
        ended: dict[str, events.StepFinished] = {}
        while ended.keys() != set(NEIGHBOURS):  # an event may come twice: its sender was killed
            event = app.event()
            ended[event.job_id] = event
        assert worker.terminate() == 0
    assert deaths == DELIVERIES
    assert all(isinstance(event.outcome, events.Completed) for event in ended.values())
    # Who was in hand at the first death was begun again; from its second delivery on the poison is alone.
    begun = Counter(line["job_id"] for line in worker.logged("attempt_started"))
    assert all(begun[job_id] <= 2 for job_id in NEIGHBOURS), begun
    assert begun[poisoned_worker.POISON] == DELIVERIES
    assert _reason(impatient) == "MaxDeliveryCountExceeded"


def _restart_until(worker: worker_process.WorkerProcess, is_over: Callable[[], bool]) -> int:
    """Starts the worker whenever it is dead; how often it died."""
    deadline, deaths = time.monotonic() + LIMIT_SECONDS, 0
    worker.start()
    while not is_over():
        assert time.monotonic() < deadline, f"not over after {deaths} deaths"
        if not worker.is_running():
            deaths += 1
            worker.start()
        time.sleep(0.05)
    return deaths


def _given_up(broker: broker_process.BrokerProcess) -> bool:
    """Only the poison is a dead letter, and nothing else waits."""
    counts = httpx.get(broker.counts_url, trust_env=False).json()["queues"][queues.Queue.LID_JOBS]
    return bool(counts["dead_letter"] == 1 and counts["active"] == counts["locked"] == 0)


def _reason(broker: broker_process.BrokerProcess) -> str | None:
    with (
        ServiceBusClient.from_connection_string(broker.connection_string) as client,
        client.get_queue_receiver(
            queues.Queue.LID_JOBS, sub_queue=ServiceBusSubQueue.DEAD_LETTER
        ) as receiver,
    ):
        (message,) = receiver.receive_messages(max_wait_time=20)
        return message.dead_letter_reason
