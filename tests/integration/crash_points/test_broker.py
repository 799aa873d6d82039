"""The broker killed beside each of its commits: acknowledged is kept, the rest is whole or absent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from azure.servicebus.aio import ServiceBusClient

from local_stack import free_ports
from local_stack.broker import journal, store
from tests.integration.crash_points import broker_scenarios, nursery

# The clients of brokers that die leave sockets and transports behind.
pytestmark = [
    pytest.mark.acceptance_long,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures("forgotten_sockets"),
]
PATIENCE_SECONDS = 30.0


class Brokers:
    """One broker after the other on the same ports and state."""

    def __init__(self, folder: Path, children: nursery.Nursery) -> None:
        self.state = folder / "state"
        self._children = children
        self._config = folder / "Config.json"
        entries = [{"Name": name, "Properties": each} for name, each in broker_scenarios.QUEUES.items()]
        self._config.write_text(
            json.dumps({"UserConfig": {"Namespaces": [{"Name": "test", "Queues": entries}]}})
        )
        self._port, self._counts_port = free_ports.free_port(), free_ports.free_port()

    @property
    def counts_url(self) -> str:
        return f"http://127.0.0.1:{self._counts_port}/counts"

    def start(self, *doom: str) -> int:
        ports = (str(self._port), str(self._counts_port))
        return self._children.start(
            "tests.integration.crash_points.doomed_broker", str(self._config), str(self.state), *ports, *doom
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[ServiceBusClient]:
        """A whole broker with a client; killed at the end like the others."""
        pid = self.start()
        try:
            async with self.client() as client:
                yield client
        finally:
            await asyncio.to_thread(self._children.kill, pid)

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[ServiceBusClient]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._listening()
        text = f"Endpoint=sb://localhost:{self._port};SharedAccessKeyName=k;SharedAccessKey=k;"
        async with ServiceBusClient.from_connection_string(
            f"{text}UseDevelopmentEmulator=true;", retry_total=0
        ) as client:
            yield client

    async def _listening(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                _reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.close()
                await writer.wait_closed()
                return
            await asyncio.sleep(0.02)


def test_every_commit_point_has_its_scenario() -> None:
    assert set(broker_scenarios.SCENARIOS) == set(journal.CommitPoint)


@pytest.mark.parametrize("point", list(journal.CommitPoint))
async def test_killed_before_and_after_a_commit(
    tmp_path: Path, children: nursery.Nursery, point: journal.CommitPoint
) -> None:
    # Side by side: most of the time is waiting for locks to end.
    async with asyncio.TaskGroup() as both:
        for moment in store.Moment:
            folder = tmp_path / moment
            folder.mkdir()
            both.create_task(kill_beside(folder, children, point, moment))


async def kill_beside(
    folder: Path, children: nursery.Nursery, point: journal.CommitPoint, moment: store.Moment
) -> None:
    scenario = broker_scenarios.SCENARIOS[point]
    brokers = Brokers(folder, children)
    async with brokers.running() as client:
        scene = broker_scenarios.Scene(
            client=client,
            counts_url=brokers.counts_url,
            database=brokers.state,
            is_after=moment is store.Moment.AFTER,
        )
        await scenario.prepare(scene)
    await act_until_death(brokers, children, scene, scenario, (point, moment))
    scenario.post_mortem(scene)
    async with brokers.running() as client:
        scene.client = client
        await scenario.check(scene)
    assert scene.rows("PRAGMA integrity_check") == [("ok",)]


async def act_until_death(
    brokers: Brokers,
    children: nursery.Nursery,
    scene: broker_scenarios.Scene,
    scenario: broker_scenarios.Scenario,
    doom: tuple[str, str],
) -> None:
    """Act on a broker that dies of it; nobody may have been told that the act succeeded."""
    pid = brokers.start(*doom)
    acting = asyncio.create_task(_act(brokers, scene, scenario))
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await asyncio.to_thread(children.reap, pid) == -signal.SIGKILL, children.log.read_text()
    acting.cancel()
    await asyncio.wait({acting}, timeout=PATIENCE_SECONDS)
    if scenario.act in broker_scenarios.CONFIRMED:
        assert acting.cancelled() or acting.exception() is not None, "confirmed before it was written"


async def _act(brokers: Brokers, scene: broker_scenarios.Scene, scenario: broker_scenarios.Scenario) -> None:
    async with brokers.client() as client:
        scene.client = client
        await scenario.act(scene)
