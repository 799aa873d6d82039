"""One broker for all scenarios of this folder; each scenario has a queue of its own."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration import broker_process

_LONG_LOCK = {"LockDuration": "PT30S", "MaxDeliveryCount": 10}
_SHORT_LOCK = {"LockDuration": "PT0.5S", "MaxDeliveryCount": 3}
_LONG_LOCK_SCENARIOS = (
    *("plain", "lists", "credit", "deleting", "abandoning", "dead-lettering", "scheduling", "peeking"),
    *("sizes", "refusing", "prefetching", "counting", "competing", "waking", "hostile"),
)
_SCENARIOS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(_LONG_LOCK_SCENARIOS, _LONG_LOCK),
    "renewing": {"LockDuration": "PT3S"},
    "auto-renewing": {"LockDuration": "PT5S"},  # the shortest that AutoLockRenewer keeps
    # Long enough for what a test does with the second delivery before it settles it.
    "expiring-locks": {"LockDuration": "PT3S"},
    "giving-up": _SHORT_LOCK,
    "dying": {**_LONG_LOCK, "DeadLetteringOnMessageExpiration": True},
    "vanishing": {**_LONG_LOCK, "DefaultMessageTimeToLive": "PT0.5S"},
    "once": {
        **_LONG_LOCK,
        "RequiresDuplicateDetection": True,
        "DuplicateDetectionHistoryTimeWindow": "PT1M",
    },
    "once-in-a-while": {
        **_LONG_LOCK,
        "RequiresDuplicateDetection": True,
        "DuplicateDetectionHistoryTimeWindow": "PT0.5S",
    },
}

# For tests that take connections away: the client then forgets to close some of its sockets.
LOSES_CONNECTIONS = [
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
    ),
    pytest.mark.usefixtures("forgotten_sockets"),
]

WriteConfig = Callable[[dict[str, dict[str, Any]]], Path]


def write_config(path: Path, queues: dict[str, dict[str, Any]]) -> Path:
    entries = [{"Name": name, "Properties": properties} for name, properties in queues.items()]
    path.write_text(json.dumps({"UserConfig": {"Namespaces": [{"Name": "test", "Queues": entries}]}}))
    return path


@pytest.fixture
def forgotten_sockets() -> Iterator[None]:
    """Collect them here and not in somebody else's test."""
    yield
    gc.collect()


@pytest.fixture
def configure(tmp_path: Path) -> WriteConfig:
    return lambda queues: write_config(tmp_path / "Config.json", queues)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[broker_process.BrokerProcess]:
    directory = tmp_path_factory.mktemp("broker")
    config = write_config(directory / "Config.json", _SCENARIOS)
    with broker_process.running_broker(config, directory / "state") as running:
        yield running
        assert running.is_running()
    assert "failed" not in _failures(running.log_path)


def _failures(log: Path) -> str:
    """The log without what a scenario provokes: connections that deserve to be closed."""
    return "\n".join(line for line in log.read_text().splitlines() if '"connection_failed"' not in line)
