"""The functions host killed beside each commit of blob receipts and timers: nothing is forgotten or half."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient

from local_stack import free_ports
from local_stack.functions_host import receipts, state
from local_stack.functions_host.durable.database import Moment
from tests.integration import azurite_process
from tests.integration.crash_points import nursery
from tests.integration.functions_host import host_process, sample_app

pytestmark = pytest.mark.acceptance_long

PATIENCE_SECONDS = 30.0
FAILURE = "ValueError: this blob always fails"
GOOD, BAD, NEW = "good.wav", "bad.wav", "new.wav"


@dataclass(kw_only=True)
class Scene:
    """One host's folder and the container that it watches."""

    folder: sample_app.Folder
    drops: ContainerClient
    is_after: bool

    def put(self, name: str) -> None:
        self.drops.upload_blob(name, b"x", overwrite=True)

    def calls(self) -> int:
        return sum(NEW not in note["name"] for note in self.folder.notes.of("dropped"))

    async def looks_again(self) -> None:
        """Until the next host has listed the container: it calls for a blob that is new there."""
        self.put(NEW)
        await self.until(lambda: any(NEW in note["name"] for note in self.folder.notes.of("dropped")))

    def rows(self, sql: str) -> list[Any]:
        file = self.folder.path / "database" / "host.sqlite"
        with contextlib.closing(sqlite3.connect(file)) as connection:
            return connection.execute(sql).fetchall()

    def receipts(self) -> list[Any]:
        """What is written of the blobs: state, attempts, error."""
        return self.rows("SELECT state, attempts, error FROM blob_receipts WHERE function = 'dropped_file'")

    async def until(self, is_met: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_met():  # noqa: ASYNC110 - files are all that tells
                await asyncio.sleep(0.05)


Step = Callable[[Scene], Awaitable[None]]


async def put_good(scene: Scene) -> None:
    scene.put(GOOD)


async def put_bad(scene: Scene) -> None:
    scene.put(BAD)


async def put_and_remove(scene: Scene) -> None:
    scene.put(GOOD)
    await scene.until(lambda: scene.calls() == 1 and scene.receipts() == [(receipts.State.DONE, 1, None)])
    scene.drops.delete_blob(GOOD)


async def nothing(_scene: Scene) -> None:
    """The timer fires by itself."""


async def attempt_is_counted_and_made_once(scene: Scene) -> None:
    attempts = 2 if scene.is_after else 1
    await scene.until(lambda: scene.receipts() == [(receipts.State.DONE, attempts, None)])
    assert scene.calls() == 1


async def five_attempts_in_all(scene: Scene) -> None:
    await scene.until(lambda: scene.receipts() == [(receipts.State.PUT_ASIDE, 5, FAILURE)])
    assert scene.calls() == 5


async def done_is_not_done_again(scene: Scene) -> None:
    calls = 1 if scene.is_after else 2
    await scene.until(lambda: scene.receipts() == [(receipts.State.DONE, calls, None)])
    await scene.looks_again()
    assert scene.calls() == calls


async def aside_for_its_reason(scene: Scene) -> None:
    error = FAILURE if scene.is_after else "the host ended during the last attempt"
    await scene.until(lambda: scene.receipts() == [(receipts.State.PUT_ASIDE, 5, error)])
    await scene.looks_again()
    assert scene.calls() == 5


async def new_version_is_handed_out_once(scene: Scene) -> None:
    scene.put(GOOD)
    await scene.until(lambda: scene.calls() == 2 and scene.receipts() == [(receipts.State.DONE, 1, None)])


async def timer_is_noted_whole(scene: Scene) -> None:
    await scene.until(lambda: len(scene.folder.notes.of("yearly")) == 2)
    await scene.until(lambda: len(scene.rows("SELECT * FROM timer_schedules")) == 1)
    [(last, following)] = scene.rows("SELECT last, next FROM timer_schedules")
    assert datetime.fromisoformat(last) < datetime.fromisoformat(following)
    assert [note["past_due"] for note in scene.folder.notes.of("yearly")] == [False, False], (
        "it runs at each start, and no time was missed"
    )


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`act` leads to the commit beside which the host dies; `check` runs against the next host."""

    act: Step
    check: Step


SCENARIOS = {
    state.CommitPoint.ATTEMPT_BEGUN: Scenario(act=put_good, check=attempt_is_counted_and_made_once),
    state.CommitPoint.RETRY_NOTED: Scenario(act=put_bad, check=five_attempts_in_all),
    state.CommitPoint.BLOB_DONE: Scenario(act=put_good, check=done_is_not_done_again),
    state.CommitPoint.BLOB_PUT_ASIDE: Scenario(act=put_bad, check=aside_for_its_reason),
    state.CommitPoint.RECEIPTS_FORGOTTEN: Scenario(act=put_and_remove, check=new_version_is_handed_out_once),
    state.CommitPoint.TIMER_NOTED: Scenario(act=nothing, check=timer_is_noted_whole),
}


def test_every_commit_point_has_its_scenario() -> None:
    assert set(SCENARIOS) == set(state.CommitPoint)


@contextlib.contextmanager
def container(azurite: azurite_process.AzuriteProcess, name: str) -> Iterator[ContainerClient]:
    """A new one for one host."""
    with ContainerClient.from_connection_string(azurite.connection_string, name) as created:
        created.create_container()
        yield created


@pytest.mark.parametrize("point", list(state.CommitPoint))
async def test_killed_before_and_after_a_commit(
    tmp_path: Path,
    azurite: azurite_process.AzuriteProcess,
    children: nursery.Nursery,
    point: state.CommitPoint,
) -> None:
    async with asyncio.TaskGroup() as both:
        for moment in Moment:
            folder = sample_app.Folder(path=tmp_path / moment, azurite=azurite)
            folder.path.mkdir()
            both.create_task(kill_beside(folder, children, point, moment))


async def kill_beside(
    folder: sample_app.Folder, children: nursery.Nursery, point: state.CommitPoint, moment: Moment
) -> None:
    with container(folder.azurite, f"{point}-{moment}".replace("_", "-")) as drops:
        await _kill_beside(folder, drops, children, point, moment)


async def _kill_beside(
    folder: sample_app.Folder,
    drops: ContainerClient,
    children: nursery.Nursery,
    point: state.CommitPoint,
    moment: Moment,
) -> None:
    scene = Scene(folder=folder, drops=drops, is_after=moment is Moment.AFTER)
    settings = json.dumps(folder.settings(DROP_CONTAINER=drops.container_name))

    def start(*doom: str) -> int:
        root, port = str(host_process.SAMPLE_APP), str(free_ports.free_port())
        return children.start("tests.integration.crash_points.doomed_host", settings, root, port, *doom)

    pid = start(point, moment)
    await SCENARIOS[point].act(scene)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await asyncio.to_thread(children.reap, pid) == -signal.SIGKILL, children.log.read_text()
    pid = start()
    try:
        await SCENARIOS[point].check(scene)
    finally:
        await asyncio.to_thread(children.kill, pid)
    assert scene.rows("PRAGMA integrity_check") == [("ok",)]
