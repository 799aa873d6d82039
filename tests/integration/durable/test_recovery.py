"""SIGKILL at any moment loses no orchestration, runs no turn twice and changes no output."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from local_stack.functions_host.durable import engine, errors, history
from tests.integration.durable import crash_app, rig

PATIENCE_SECONDS = 30.0
REPOSITORY = Path(__file__).parents[3]


@contextlib.contextmanager
def process(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The crash app, killed if it still runs at the end."""
    command = [sys.executable, "-m", "tests.integration.durable.crash_app", str(folder), *arguments]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        try:
            yield running
        finally:
            running.kill()


@contextlib.asynccontextmanager
async def restarted(folder: Path) -> AsyncIterator[engine.DurableEngine]:
    durable = crash_app.build(folder)
    await durable.start()
    try:
        yield durable
    finally:
        await durable.stop()


async def assert_all_complete(folder: Path) -> None:
    """Starts again over what the crash left; every job ends as if nothing had happened."""
    async with restarted(folder) as durable:
        statuses = await crash_app.drive(durable)
        lanes = await durable.query(engine.Filters())
    for number, status in enumerate(statuses):
        assert rig.output(status) == crash_app.expected(number)
        assert status.custom_status_text == '"done"'
        assert_played_once(status)
    assert len(lanes) == 3 * len(crash_app.JOBS), "a job's sub-orchestrations were started once each"
    assert leftovers(folder) == {"inbox": 0, "work": 0}


def assert_played_once(status: engine.InstanceStatus) -> None:
    """No work was scheduled twice and no result taken twice."""
    events = status.history or ()
    scheduled = Counter(event.event_id for event in events if event.event_id >= 0)
    answered = Counter(
        event.task_id for event in events if {"TaskScheduledId", "TimerId"} & event.fields.keys()
    )
    assert max(scheduled.values()) == 1
    assert max(answered.values()) == 1
    kinds = Counter(event.kind for event in events)
    assert kinds[history.Kind.EXECUTION_STARTED] == kinds[history.Kind.EXECUTION_COMPLETED] == 1


def leftovers(folder: Path) -> dict[str, int]:
    with contextlib.closing(sqlite3.connect(folder / "durable.sqlite")) as connection:
        return {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - two constants
            for table in ("inbox", "work")
        }


def progress(folder: Path) -> int:
    """Activities begun so far."""
    file = folder / "progress"
    return len(file.read_text().splitlines()) if file.exists() else 0


@pytest.mark.parametrize("moment", list(engine.Moment))
@pytest.mark.parametrize(
    ("point", "nth"),
    [
        (engine.CommitPoint.INSTANCE_STARTED, 11),
        (engine.CommitPoint.EVENT_RAISED, 7),
        (engine.CommitPoint.TURN_ENDED, 60),
        (engine.CommitPoint.ACTIVITY_ENDED, 50),
    ],
)
async def test_killed_beside_a_commit(
    tmp_path: Path, point: engine.CommitPoint, nth: int, moment: engine.Moment
) -> None:
    with process(tmp_path, point, moment, str(nth)) as running:
        assert await asyncio.to_thread(running.wait, PATIENCE_SECONDS) == -signal.SIGKILL
    await assert_all_complete(tmp_path)


async def test_killed_again_and_again_at_any_time(tmp_path: Path) -> None:
    for begun in (10, 50, 100):
        with process(tmp_path) as running:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while progress(tmp_path) < begun:
                assert running.poll() is None, "it ended before it could be killed"
                assert time.monotonic() < deadline
                await asyncio.sleep(0.002)
            running.send_signal(signal.SIGKILL)
    await assert_all_complete(tmp_path)


async def test_stop_leaves_nothing_half_done_and_start_goes_on(tmp_path: Path) -> None:
    durable = crash_app.build(tmp_path)
    await durable.start()
    driving = asyncio.create_task(crash_app.drive(durable))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while progress(tmp_path) < 40:  # noqa: ASYNC110 - the activities are all that tells
            await asyncio.sleep(0.005)
    await durable.stop(grace_seconds=5.0)
    driving.cancel()
    with contextlib.suppress(asyncio.CancelledError, errors.EngineStoppedError):
        await driving
    await assert_all_complete(tmp_path)


async def test_activity_that_does_not_end_in_time_runs_again(tmp_path: Path) -> None:
    calls: list[int] = []

    async def slow_once(number: int) -> int:
        calls.append(number)
        if len(calls) == 1:
            await asyncio.sleep(3600)
        return number

    def waits(context: object) -> object:
        return (yield context.call_activity("slow_once", 5))  # type: ignore[attr-defined]  # the SDK has no types

    first = rig.build(tmp_path, waits, activities={"slow_once": slow_once})
    await first.start()
    await first.start_new("waits", None, "one")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not calls:  # noqa: ASYNC110 - the activity is all that tells
            await asyncio.sleep(0.005)
    await first.stop(grace_seconds=0.05)
    second = rig.build(tmp_path, waits, activities={"slow_once": slow_once})
    await second.start()
    assert rig.output(await rig.until(second, "one")) == 5
    assert calls == [5, 5]
    await second.stop()


async def test_database_has_one_process_at_a_time(tmp_path: Path) -> None:
    async with restarted(tmp_path):
        with pytest.raises(errors.DatabaseInUseError, match="in use by another process"):
            await crash_app.build(tmp_path).start()
    async with restarted(tmp_path):
        pass
