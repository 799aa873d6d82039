"""What must not be lost, repeated or waited for when something goes wrong beside the app."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from local_stack.functions_host.durable import engine, errors, history, limits
from tests.integration.durable import rig
from tests.integration.durable.conftest import StartEngine

Steps = Generator[Any, Any, Any]


def waits(context: Any) -> Steps:
    return (yield context.wait_for_external_event("go"))


def calls(context: Any) -> Steps:
    return (yield context.call_activity("work"))


class Gate:
    """An activity that ends when it is let."""

    def __init__(self) -> None:
        self.is_entered = asyncio.Event()
        self.is_open = asyncio.Event()
        self.calls = 0

    async def __call__(self, _: Any) -> str:
        self.calls += 1
        self.is_entered.set()
        await self.is_open.wait()
        return "late"


async def test_of_many_starts_of_one_id_one_wins(start_engine: StartEngine) -> None:
    durable = await start_engine(waits)
    starts = [durable.start_new("waits", None, "one") for _ in range(20)]
    results = await asyncio.gather(*starts, return_exceptions=True)
    assert results.count("one") == 1
    assert sum(isinstance(result, errors.InstanceExistsError) for result in results) == 19


async def test_start_whose_caller_was_cancelled_still_runs(start_engine: StartEngine) -> None:
    durable = await start_engine(calls, activities={"work": lambda _: "done"})
    caller = asyncio.create_task(durable.start_new("calls", None, "one"))
    await asyncio.sleep(0)  # far enough to have handed over its transaction
    caller.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await caller
    async with asyncio.timeout(rig.PATIENCE_SECONDS):
        while not await durable.query(engine.Filters()):  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.005)
    assert rig.output(await rig.until(durable, "one")) == "done"


def rows(folder: Path, table: str) -> int:
    with contextlib.closing(sqlite3.connect(folder / "durable.sqlite")) as connection:
        count: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
        return count


async def test_late_result_of_a_terminated_instance_is_dropped(
    start_engine: StartEngine, tmp_path: Path
) -> None:
    gate = Gate()
    durable = await start_engine(calls, activities={"work": gate})
    await durable.start_new("calls", None, "one")
    await gate.is_entered.wait()
    await durable.terminate("one", "enough")
    await rig.until(durable, "one")
    assert rows(tmp_path, "work") == 1, "the activity goes on"
    gate.is_open.set()
    await durable.stop()
    assert (rows(tmp_path, "work"), rows(tmp_path, "inbox")) == (0, 0)


async def test_result_of_a_replaced_execution_does_not_reach_the_new_one(start_engine: StartEngine) -> None:
    gate = Gate()
    is_first = True

    async def work(value: Any) -> str:
        nonlocal is_first
        if is_first:
            is_first = False
            return await gate(value)
        return "new"

    durable = await start_engine(calls, activities={"work": work})
    await durable.start_new("calls", None, "one")
    await gate.is_entered.wait()
    await durable.terminate("one", "enough")
    await rig.until(durable, "one")
    await durable.start_new("calls", None, "one")
    gate.is_open.set()
    assert rig.output(await rig.until(durable, "one")) == "new"


async def test_purge_under_a_running_activity_leaves_nothing(
    start_engine: StartEngine, tmp_path: Path
) -> None:
    gate = Gate()
    durable = await start_engine(calls, activities={"work": gate})
    await durable.start_new("calls", None, "one")
    await gate.is_entered.wait()
    await durable.purge("one")
    gate.is_open.set()
    await durable.stop()
    assert [rows(tmp_path, table) for table in ("instances", "history", "inbox", "work")] == [0, 0, 0, 0]


async def test_activity_that_lets_a_cancellation_slip_out_has_failed(start_engine: StartEngine) -> None:
    async def slips(_: Any) -> None:
        raise asyncio.CancelledError

    durable = await start_engine(calls, activities={"work": slips})
    status = await rig.until(durable, await durable.start_new("calls"))
    assert "Activity function 'work' failed: CancelledError" in (status.output_text or "")


@pytest.mark.parametrize("statement", ["DELETE ON work", "INSERT ON history"], ids=["activity", "turn"])
async def test_result_that_cannot_be_stored_is_tried_again(
    start_engine: StartEngine, tmp_path: Path, statement: str
) -> None:
    """As with a full disk: SQLite refuses, the engine says so and tries again."""
    gate = Gate()
    durable = await start_engine(calls, activities={"work": gate})
    await durable.start_new("calls", None, "one")
    await gate.is_entered.wait()
    with contextlib.closing(sqlite3.connect(tmp_path / "durable.sqlite", timeout=5)) as connection:
        connection.execute(
            f"CREATE TRIGGER full BEFORE {statement} BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
        with structlog.testing.capture_logs() as logs:
            gate.is_open.set()
            async with asyncio.timeout(rig.PATIENCE_SECONDS):
                while not any(entry["event"].endswith("_not_stored") for entry in logs):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        connection.execute("DROP TRIGGER full")
    status = await rig.until(durable, "one")
    assert rig.output(status) == "late"
    kinds = [event.kind for event in status.history or ()]
    assert kinds.count(history.Kind.TASK_COMPLETED) == 1
    assert gate.calls == 1, "the activity does not run again for the disk's sake"


async def test_log_names_each_event_with_its_ids(start_engine: StartEngine) -> None:
    def breaks(_: Any) -> None:
        raise ValueError("secret transcript")

    with structlog.testing.capture_logs() as logs:
        durable = await start_engine(calls, activities={"work": breaks})
        await rig.until(durable, await durable.start_new("calls", None, "one"))
        await durable.stop()
    named = {entry["event"]: entry for entry in logs}
    assert {"orchestration_started", "activity_failed", "orchestration_failed"} <= named.keys()
    for event in ("orchestration_started", "activity_failed", "orchestration_failed"):
        assert named[event]["instance_id"] == "one"
        assert named[event]["execution_id"]
    assert "secret" not in repr(logs)


async def test_orchestrator_that_hangs_is_named_and_holds_up_no_other(start_engine: StartEngine) -> None:
    is_released = threading.Event()

    def hangs(context: Any) -> str:
        is_released.wait(rig.PATIENCE_SECONDS)
        return "at last"

    def quick(context: Any) -> str:
        return "quick"

    with structlog.testing.capture_logs() as logs:
        durable = await start_engine(hangs, quick)
        await durable.start_new("hangs", None, "one")
        assert rig.output(await rig.until(durable, await durable.start_new("quick"))) == "quick"
        async with asyncio.timeout(rig.PATIENCE_SECONDS):
            while not any(entry["event"] == "turn_slow" for entry in logs):  # noqa: ASYNC110 - it waits on a thread
                await asyncio.sleep(0.01)
        is_released.set()
        assert rig.output(await rig.until(durable, "one")) == "at last"


async def test_load_shows_what_runs_and_waits(start_engine: StartEngine) -> None:
    gate = Gate()
    bounds = limits.DurableLimits(max_concurrent_activities=1)
    durable = await start_engine(calls, activities={"work": gate}, bounds=bounds)
    for name in ("one", "two"):
        await durable.start_new("calls", None, name)
        await rig.until(durable, name, lambda status: status.status is engine.Status.RUNNING)
    load = durable.load()
    assert (load.activities_running, load.activities_waiting) == (1, 1)
    assert 0 < max(load.latest_turn_seconds) < rig.PATIENCE_SECONDS
    gate.is_open.set()
    await rig.until(durable, "two")


async def test_stopped_engine_refuses_work(start_engine: StartEngine) -> None:
    durable = await start_engine(waits)
    await durable.stop()
    with pytest.raises(errors.EngineStoppedError):
        await durable.start_new("waits")
    with pytest.raises(errors.EngineStoppedError):
        await durable.status("one")


async def test_message_for_another_execution_is_dropped(start_engine: StartEngine, tmp_path: Path) -> None:
    durable = await start_engine(waits)
    await durable.start_new("waits", None, "one")
    stray = history.dumps(
        history.event_raised(at="2020-01-01T00:00:00.000000Z", name="go", input_text='"stray"')
    )
    with contextlib.closing(sqlite3.connect(tmp_path / "durable.sqlite", isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO inbox (instance_id, execution_id, due, event) VALUES ('one', 'another', '2020', ?)",
            (stray,),
        )
    await durable.raise_event("one", "go", '"mine"')
    assert rig.output(await rig.until(durable, "one")) == "mine"
    assert rows(tmp_path, "inbox") == 0
