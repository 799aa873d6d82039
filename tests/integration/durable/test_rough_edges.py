"""Traps of Durable Functions in Python that must show locally, because they are there in Azure.

What the pipeline must not do is written here as what happens if it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from local_stack.functions_host.durable import engine, history
from tests.integration.durable import rig
from tests.integration.durable.conftest import StartEngine

Steps = Generator[Any, Any, Any]


def soon(context: Any, seconds: float = 0.05) -> Any:
    return context.create_timer(context.current_utc_datetime + timedelta(seconds=seconds))


def has(kind: history.Kind, count: int = 1) -> Any:
    """Whether the history holds at least that many of such events."""
    return lambda status: [event.kind for event in status.history or ()].count(kind) >= count


async def stays_running(durable: engine.DurableEngine, instance_id: str) -> bool:
    """Nothing more happens to it: no activity, timer or message of it is left to come."""
    await asyncio.sleep(0.2)
    return (await durable.status(instance_id)).status is engine.Status.RUNNING


async def test_one_early_event_satisfies_every_wait_and_the_instance_hangs(start_engine: StartEngine) -> None:
    seen: list[Any] = []

    def waits_twice(context: Any) -> Steps:
        yield context.wait_for_external_event("gate")
        first = yield context.wait_for_external_event("same")
        second = yield context.wait_for_external_event("same")
        seen[:] = [first, second]
        return seen

    durable = await start_engine(waits_twice)
    instance_id = await durable.start_new("waits_twice")
    await durable.raise_event(instance_id, "same", '"A"')
    await durable.raise_event(instance_id, "gate", "1")
    await rig.until(durable, instance_id, has(history.Kind.EVENT_RAISED, 2))
    assert await stays_running(durable, instance_id)
    assert seen == ["A", "A"], "the SDK gave one event to both waits; the host still waits for a second"


async def test_two_early_events_of_one_name_are_taken_as_the_last_twice(start_engine: StartEngine) -> None:
    def waits_twice(context: Any) -> Steps:
        yield context.wait_for_external_event("gate")
        first = yield context.wait_for_external_event("same")
        second = yield context.wait_for_external_event("same")
        return [first, second]

    durable = await start_engine(waits_twice)
    instance_id = await durable.start_new("waits_twice")
    for value in ('"A"', '"B"'):
        await durable.raise_event(instance_id, "same", value)
    await durable.raise_event(instance_id, "gate", "1")
    assert rig.output(await rig.until(durable, instance_id)) == ["B", "B"]


async def test_timer_carried_into_a_second_race_hangs_the_instance(start_engine: StartEngine) -> None:
    went_on: list[str] = []

    def reuses(context: Any) -> Steps:
        timer = soon(context, 0.3)
        yield context.task_any([context.wait_for_external_event("first"), timer])
        yield context.task_any([context.wait_for_external_event("second"), timer])
        went_on.append("python went on")
        yield context.call_activity("never")

    durable = await start_engine(reuses, activities={"never": lambda _: None})
    instance_id = await durable.start_new("reuses")
    await durable.raise_event(instance_id, "first", "1")
    status = await rig.until(durable, instance_id, has(history.Kind.TIMER_FIRED))
    assert await stays_running(durable, instance_id)
    assert went_on
    assert not has(history.Kind.TASK_SCHEDULED)(status), "the host awaits the second event only"


async def test_new_timer_for_each_race_works(start_engine: StartEngine) -> None:
    def renews(context: Any) -> Steps:
        for name in ("first", "second"):
            timer = soon(context, 3600)
            yield context.task_any([context.wait_for_external_event(name), timer])
            timer.cancel()
        return "done"

    durable = await start_engine(renews)
    instance_id = await durable.start_new("renews")
    await durable.raise_event(instance_id, "first", "1")
    await durable.raise_event(instance_id, "second", "1")
    assert rig.output(await rig.until(durable, instance_id)) == "done"


async def test_failure_inside_task_all_waits_for_every_sibling(start_engine: StartEngine) -> None:
    def breaks(_: Any) -> None:
        raise ValueError("no")

    def mixes(context: Any) -> Steps:
        yield context.task_all([context.call_activity("breaks"), context.wait_for_external_event("sibling")])

    durable = await start_engine(mixes, activities={"breaks": breaks})
    instance_id = await durable.start_new("mixes")
    await rig.until(durable, instance_id, has(history.Kind.TASK_FAILED))
    assert await stays_running(durable, instance_id)
    await durable.raise_event(instance_id, "sibling", "1")
    assert (await rig.until(durable, instance_id)).status is engine.Status.FAILED


async def test_losing_activity_of_a_race_keeps_the_instance_running(start_engine: StartEngine) -> None:
    is_released = asyncio.Event()

    async def slow(_: Any) -> None:
        await is_released.wait()

    def races(context: Any) -> Steps:
        yield context.task_any([context.call_activity("slow"), soon(context)])
        return "went on"

    durable = await start_engine(races, activities={"slow": slow})
    instance_id = await durable.start_new("races")
    await rig.until(durable, instance_id, has(history.Kind.TIMER_FIRED))
    assert await stays_running(durable, instance_id)
    is_released.set()
    assert rig.output(await rig.until(durable, instance_id)) == "went on"


async def test_retried_activity_raced_against_a_cancelled_timer_fails(start_engine: StartEngine) -> None:
    """After a retry the cancelled timer shifts the numbers of what follows, in Azure too."""
    calls: list[int] = []

    def flaky(_: Any) -> str:
        calls.append(1)
        if len(calls) < 2:
            raise ConnectionError("not yet")
        return "ok"

    def races(context: Any) -> Steps:
        timer = soon(context, 3600)
        retried = context.call_activity_with_retry("flaky", df.RetryOptions(20, 3))
        yield context.task_any([retried, timer])
        timer.cancel()
        yield context.call_activity("flaky")

    durable = await start_engine(races, activities={"flaky": flaky})
    status = await rig.until(durable, await durable.start_new("races"))
    assert status.status is engine.Status.FAILED
    assert "Non-deterministic orchestrator" in (status.output_text or "")


async def test_falsy_custom_status_does_not_clear_the_one_before(start_engine: StartEngine) -> None:
    def clears(context: Any) -> Steps:
        context.set_custom_status("busy")
        yield soon(context)
        context.set_custom_status("")

    durable = await start_engine(clears)
    status = await rig.until(durable, await durable.start_new("clears"))
    assert status.custom_status_text == '"busy"'


async def test_task_all_of_nothing_gives_none_and_no_list(start_engine: StartEngine) -> None:
    def joins(context: Any) -> Steps:
        joined = yield context.task_all([])
        return {"joined": joined}

    durable = await start_engine(joins)
    assert rig.output(await rig.until(durable, await durable.start_new("joins"))) == {"joined": None}
