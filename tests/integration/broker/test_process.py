"""The broker as a command: what it says at its start and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceiveMode
from azure.servicebus.exceptions import ServiceBusError

from tests.integration import broker_process
from tests.integration.broker.conftest import LOSES_CONNECTIONS, WriteConfig

pytestmark = LOSES_CONNECTIONS

_ROOT = Path(__file__).resolve().parents[3]


def run_broker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local_stack.broker", *arguments],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_invalid_file_ends_with_one_plain_sentence(tmp_path: Path) -> None:
    path = tmp_path / "Config.json"
    path.write_text(
        json.dumps({"UserConfig": {"Namespaces": [{"Queues": [{"Name": "q", "Properties": {"X": 1}}]}]}})
    )
    finished = run_broker("--config", str(path), "--port", "0", "--state", str(tmp_path / "state"))
    assert finished.returncode == 2
    assert finished.stdout == ""
    [sentence] = finished.stderr.splitlines()
    assert str(path) in sentence
    assert "Properties.X" in sentence


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("--port", "70000"), "Setting port", id="no port"),
        pytest.param(("--port", "0", "--counts-port", "-1"), "Setting counts_port", id="no counts port"),
    ],
)
def test_setting_that_cannot_be_is_named_in_one_plain_sentence(
    tmp_path: Path, configure: WriteConfig, arguments: tuple[str, ...], words: str
) -> None:
    finished = run_broker(
        "--config", str(configure({"work": {}})), *arguments, "--state", str(tmp_path / "state")
    )
    assert finished.returncode == 2
    [sentence] = finished.stderr.splitlines()
    assert words in sentence


def test_second_broker_on_the_same_state_says_so_and_ends(tmp_path: Path, configure: WriteConfig) -> None:
    config, state = configure({"work": {}}), tmp_path / "state"
    with broker_process.running_broker(config, state):
        finished = run_broker("--config", str(config), "--port", "0", "--state", str(state))
    assert finished.returncode == 1
    [sentence] = finished.stderr.splitlines()
    assert "Another broker uses" in sentence


def test_port_that_is_taken_is_named(tmp_path: Path, configure: WriteConfig) -> None:
    config = configure({"work": {}})
    with broker_process.running_broker(config, tmp_path / "state") as broker:
        finished = run_broker(
            "--config", str(config), "--port", str(broker.port), "--state", str(tmp_path / "other")
        )
    assert finished.returncode == 2
    assert f"127.0.0.1:{broker.port}" in finished.stderr.splitlines()[-1]


def test_sigterm_ends_cleanly_while_clients_are_connected(tmp_path: Path, configure: WriteConfig) -> None:
    with (
        broker_process.running_broker(configure({"work": {}}), tmp_path / "state") as broker,
        ServiceBusClient.from_connection_string(broker.connection_string) as client,
        client.get_queue_sender("work") as sender,
    ):
        sender.send_messages(ServiceBusMessage("x"))
        assert broker.terminate() == 0
        assert "Traceback" not in broker.log_path.read_text()


def test_send_is_refused_and_not_acknowledged_while_the_disk_is_full(
    tmp_path: Path, configure: WriteConfig
) -> None:
    limits = {
        "SPEECHFLOW_BROKER_MAX_STATE_BYTES": str(1024 * 1024),
        "SPEECHFLOW_BROKER_STORE_PAUSE_SECONDS": "0.1",
    }
    received: list[str] = []
    accepted: list[str] = []
    with (
        # Its log is on that disk, too.
        broker_process.running_broker(
            configure({"work": {}}), tmp_path / "state", limits, log_path=Path("/dev/full")
        ) as broker,
        ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0) as client,
        client.get_queue_sender("work") as sender,
    ):

        def fill() -> None:
            for number in range(100):
                sender.send_messages(ServiceBusMessage(b"x" * 100_000, message_id=str(number)))
                accepted.append(str(number))

        with pytest.raises(ServiceBusError, match="could not write"):
            fill()
        assert 3 < len(accepted) < 12
        mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
        with client.get_queue_receiver("work", receive_mode=mode) as receiver:
            while len(received) < len(accepted):
                messages = receiver.receive_messages(5, max_wait_time=30)
                assert messages, "an acknowledged message is lost"
                received += [str(message.message_id) for message in messages]
        sender.send_messages(ServiceBusMessage("there is room again"))
    assert received == accepted
