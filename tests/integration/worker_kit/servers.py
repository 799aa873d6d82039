"""Storage with the workers' containers, and a broker with short locks: fixtures to import."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from azure.storage.blob import BlobServiceClient

from contracts import blobs, queues
from tests.integration import azurite_process, broker_process

LOCK_SECONDS = 5


@pytest.fixture(scope="module")
def storage(azurite: azurite_process.AzuriteProcess) -> azurite_process.AzuriteProcess:
    """Azurite with every container."""
    with BlobServiceClient.from_connection_string(azurite.connection_string) as client:
        for container in blobs.Container:
            client.create_container(container)
    return azurite


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[broker_process.BrokerProcess]:
    """A broker whose locks are as short as the service allows."""
    folder = tmp_path_factory.mktemp("broker")
    config = folder / "Config.json"
    config.write_text(json.dumps(configuration()))
    with broker_process.running_broker(config, folder / "state") as running:
        yield running


def configuration() -> dict[str, object]:
    """All queues, in the emulator's shape."""
    properties = {
        "LockDuration": f"PT{LOCK_SECONDS}S",
        "MaxDeliveryCount": 10,
        "DefaultMessageTimeToLive": "PT1H",
        "RequiresDuplicateDetection": False,
    }
    declared = [{"Name": queue, "Properties": properties} for queue in queues.Queue]
    return {"UserConfig": {"Namespaces": [{"Name": "speech-flow", "Queues": declared}]}}
