"""Real clients behind connections that break: what they sent is there, and nothing else."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import MappingProxyType

import pytest
from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusError
from azure.storage.blob import BlobServiceClient, ContainerClient, LinearRetry

from contracts import queues
from local_stack.launcher import services
from tests.faults import messages, proxy
from tests.integration import azurite_process, broker_process

# The SDK lets go of the socket of a connection that was cut without closing it.
pytestmark = [
    pytest.mark.acceptance_long,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

LIMIT_SECONDS = 90.0
MESSAGES = 60
QUEUE = queues.Queue.JOB_EVENTS
CUTS = MappingProxyType({proxy.Kind.RESET: 1.0, proxy.Kind.FINISH: 1.0})


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[broker_process.BrokerProcess]:
    state = tmp_path_factory.mktemp("broker") / "state"
    with broker_process.running_broker(services.QUEUES, state) as running:
        yield running


@pytest.mark.parametrize("seed", [1])
def test_every_message_arrives_although_connections_are_cut(
    broker: broker_process.BrokerProcess, seed: int
) -> None:
    weather = proxy.Weather(shares=CUTS, least_bytes=8_000, most_bytes=30_000)
    with proxy.running(broker.port, seed=seed, weather=weather) as between:
        through = broker.connection_string.replace(f":{broker.port}", f":{between.port}")
        wanted = {f"{seed}-{number}" for number in range(MESSAGES)}
        deadline = time.monotonic() + LIMIT_SECONDS
        _send(through, sorted(wanted), deadline)
        assert wanted - _receive(through, wanted, deadline) == set()
        cuts = between.made[proxy.Kind.RESET] + between.made[proxy.Kind.FINISH]
    assert cuts > 0, "nothing was cut"


def test_every_message_arrives_although_it_is_meddled_with(broker: broker_process.BrokerProcess) -> None:
    wanted = {f"meddled-{number}" for number in range(MESSAGES)}
    deadline = time.monotonic() + LIMIT_SECONDS
    with messages.meddling(broker.connection_string, seed=1) as meddler:
        _send(broker.connection_string, sorted(wanted), deadline)
        while meddler.made.total() < MESSAGES // 4:
            assert time.monotonic() < deadline, "nothing is meddled with"
            time.sleep(0.05)
        assert wanted - _receive(broker.connection_string, wanted, deadline) == set()


def test_blob_is_whole_or_refused_although_connections_are_cut(tmp_path: Path) -> None:
    weather = proxy.Weather(shares=CUTS, least_bytes=0, most_bytes=400_000)
    content = bytes(range(256)) * 400
    with (
        azurite_process.running_azurite(tmp_path) as azurite,
        proxy.running(azurite.port, seed=3, weather=weather) as between,
    ):
        through = azurite.connection_string.replace(f":{azurite.port}", f":{between.port}")
        retry = LinearRetry(backoff=0, random_jitter_range=0, retry_total=8)
        with BlobServiceClient.from_connection_string(through, retry_policy=retry) as service:
            container = _container(service)
            for number in range(10):
                with contextlib.suppress(AzureError):
                    container.upload_blob(f"blob-{number}", content)
        with BlobServiceClient.from_connection_string(azurite.connection_string) as service:
            container = service.get_container_client("things")
            stored = [container.download_blob(name).readall() for name in container.list_blob_names()]
        assert between.made[proxy.Kind.RESET] + between.made[proxy.Kind.FINISH] > 0, "nothing was cut"
    assert stored
    assert all(each == content for each in stored)


def _container(service: BlobServiceClient) -> ContainerClient:
    with contextlib.suppress(AzureError):
        service.create_container("things")
    return service.get_container_client("things")


def _send(connection_string: str, texts: Iterable[str], deadline: float) -> None:
    """Until the broker has acknowledged each; some may arrive more than once."""
    unsent = list(texts)
    while unsent:
        assert time.monotonic() < deadline, "sending takes too long"
        with (
            contextlib.suppress(ServiceBusError, OSError),
            ServiceBusClient.from_connection_string(connection_string) as client,
            client.get_queue_sender(QUEUE) as sender,
        ):
            while unsent:
                sender.send_messages(ServiceBusMessage(unsent[-1].ljust(500)))
                unsent.pop()


def _receive(connection_string: str, wanted: set[str], deadline: float) -> set[str]:
    """What has come when all has come, or at the deadline."""
    found: set[str] = set()
    while not wanted <= found and time.monotonic() < deadline:
        with (
            contextlib.suppress(ServiceBusError, OSError),
            ServiceBusClient.from_connection_string(connection_string) as client,
            client.get_queue_receiver(QUEUE) as receiver,
        ):
            while not wanted <= found and time.monotonic() < deadline:
                for message in receiver.receive_messages(1, max_wait_time=1):
                    found.add(str(message).strip())
                    receiver.complete_message(message)
    return found
