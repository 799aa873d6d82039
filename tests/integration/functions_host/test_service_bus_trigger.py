"""Queue functions against the real broker, across its restarts and the host's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from tests.integration import azurite_process, broker_process
from tests.integration.functions_host import host_process, sample_app

wait_for = host_process.wait_for

QUEUE = "work"
MAX_DELIVERY_COUNT = 3


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[broker_process.BrokerProcess]:
    properties = {"LockDuration": "PT5S", "MaxDeliveryCount": MAX_DELIVERY_COUNT}
    config = tmp_path / "Config.json"
    namespace = {"Name": "test", "Queues": [{"Name": QUEUE, "Properties": properties}]}
    config.write_text(json.dumps({"UserConfig": {"Namespaces": [namespace]}}))
    with broker_process.running_broker(config, tmp_path / "broker") as running:
        yield running


@pytest.fixture
def folder(
    tmp_path: Path, azurite: azurite_process.AzuriteProcess, broker: broker_process.BrokerProcess
) -> sample_app.Folder:
    return sample_app.Folder(path=tmp_path, azurite=azurite, service_bus=broker.connection_string)


@pytest.fixture
def send(broker: broker_process.BrokerProcess) -> Callable[..., None]:
    def send_texts(*texts: str) -> None:
        client = ServiceBusClient.from_connection_string(broker.connection_string)
        with client, client.get_queue_sender(QUEUE) as sender:
            for text in texts:
                sender.send_messages(
                    ServiceBusMessage(
                        text, message_id=f"id {text}", application_properties={"n": 1, "t": "é"}
                    )
                )

    return send_texts


def bodies(folder: sample_app.Folder, kind: str = "worked") -> list[str]:
    return [note["body"] for note in folder.notes.of(kind)]


def queue_counts(broker: broker_process.BrokerProcess) -> Any:
    return httpx.get(broker.counts_url, timeout=10).json()


def test_success_completes_and_failure_goes_to_the_dead_letter_function(
    folder: sample_app.Folder, send: Callable[..., None], broker: broker_process.BrokerProcess
) -> None:
    with host_process.running_host(folder.settings()) as host:
        send("good", "fail")
        wait_for(lambda: bodies(folder, "dead_letter") == ["fail"], what="the dead letter")
        wait_for(lambda: "good" in bodies(folder))
        attempts = [note["delivery_count"] for note in folder.notes.of("worked") if note["body"] == "fail"]
        assert attempts == [1, 2, 3]
        (dead,) = folder.notes.of("dead_letter")
        assert dead["reason"] == "MaxDeliveryCountExceeded"
        (good,) = [note for note in folder.notes.of("worked") if note["body"] == "good"]
        assert (good["message_id"], good["properties"]) == ("id good", {"n": 1, "t": "é"})
        counted = host.counts()["functions"]
        assert (counted["worked"]["invocations"], counted["worked"]["failures"]) == (4, 3)
        wait_for(lambda: set(_numbers(queue_counts(broker))) == {0}, what="an empty broker")


def _numbers(value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _numbers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers(inner)
    elif isinstance(value, int):
        yield value


def test_messages_run_side_by_side_up_to_the_limit_and_locks_are_renewed(
    folder: sample_app.Folder, send: Callable[..., None]
) -> None:
    unlimited = {"AzureFunctionsJobHost__functionTimeout": "-1"}
    two = {"AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls": "2"}
    with host_process.running_host(folder.settings(**unlimited, **two)) as host:
        # Longer than the lock of 5 s, so without renewal it would be delivered again.
        send("sleep 5.5", "sleep 0.5", "sleep 0.6")
        wait_for(lambda: len(bodies(folder, "slept")) == 3, what="the end of all three")
        assert host.terminate() == 0
    assert len(bodies(folder)) == 3
    assert most_at_a_time(folder) == 2


def most_at_a_time(folder: sample_app.Folder) -> int:
    """By the order in which calls began and ended."""
    running = [0]
    for line in folder.notes.path.read_text().splitlines():
        step = {"worked": 1, "slept": -1}.get(json.loads(line)["kind"], 0)
        running.append(running[-1] + step)
    return max(running)


def test_broker_restart_is_survived(
    folder: sample_app.Folder, send: Callable[..., None], broker: broker_process.BrokerProcess
) -> None:
    with host_process.running_host(folder.settings()) as host:
        # Side by side, so that there are receivers in use and receivers that wait for their turn.
        send("sleep 0.3", "sleep 0.4", "sleep 0.5")
        wait_for(lambda: len(bodies(folder, "slept")) == 3)
        broker.restart(away_seconds=1.0)
        send("sleep 0.1", "sleep 0.2", "after")
        wait_for(lambda: "after" in bodies(folder), what="the message after the restart")
        wait_for(lambda: len(bodies(folder, "slept")) == 5)
        assert host.events("queue_unreachable")


def test_killed_host_s_message_comes_again_and_sigterm_waits_for_the_one_in_hand(
    folder: sample_app.Folder, send: Callable[..., None], broker: broker_process.BrokerProcess
) -> None:
    settings = folder.settings(AzureFunctionsJobHost__functionTimeout="-1")
    with host_process.running_host(settings) as host:
        send("hold it")
        wait_for(lambda: bodies(folder) == ["hold it"])
        host.kill()
    with host_process.running_host(settings) as host:
        wait_for(lambda: len(bodies(folder)) == 2, what="the second delivery")
        host.process.terminate()
        wait_for(lambda: host.events("host_stopping"))
        folder.release("it")
        assert host.process.wait(40) == 0
    # The delivery that SIGTERM found was finished, and completed: nothing is left to come a third time.
    assert bodies(folder, "released") == ["hold it"]
    assert len(bodies(folder)) == 2
    assert set(_numbers(queue_counts(broker))) == {0}
