"""What orchestrations may use, each on the real SDK, engine and database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from local_stack.functions_host.durable import engine, history, limits
from tests.integration.durable import rig
from tests.integration.durable.conftest import StartEngine

Steps = Generator[Any, Any, Any]


def soon(context: Any, seconds: float = 0.05) -> Any:
    return context.create_timer(context.current_utc_datetime + timedelta(seconds=seconds))


async def test_activities_in_sequence_and_side_by_side(start_engine: StartEngine) -> None:
    def adds(context: Any) -> Steps:
        first = yield context.call_activity("double", context.get_input())
        many = yield context.task_all([context.call_activity("double", n) for n in range(20)])
        return [first, many]

    durable = await start_engine(adds, activities={"double": lambda n: n * 2})
    instance_id = await durable.start_new("adds", rig.client_text(21))
    status = await rig.until(durable, instance_id)
    assert rig.output(status) == [42, [n * 2 for n in range(20)]]


async def test_retry_calls_again_until_it_succeeds(start_engine: StartEngine) -> None:
    calls: list[int] = []

    def flaky(value: Any) -> str:
        calls.append(value)
        if len(calls) < 3:
            raise ConnectionError("not yet")
        return "at last"

    def retries(context: Any) -> Steps:
        return (yield context.call_activity_with_retry("flaky", df.RetryOptions(20, 5), 1))

    durable = await start_engine(retries, activities={"flaky": flaky})
    status = await rig.until(durable, await durable.start_new("retries"))
    assert rig.output(status) == "at last"
    assert calls == [1, 1, 1]


async def test_retry_gives_up_after_one_extra_timer(start_engine: StartEngine) -> None:
    def breaks(value: Any) -> None:
        raise ValueError("never")

    def retries(context: Any) -> Steps:
        try:
            yield context.call_activity_with_retry("breaks", df.RetryOptions(20, 2))
        except Exception as failure:  # noqa: BLE001 - the SDK raises a bare Exception
            return str(failure)

    durable = await start_engine(retries, activities={"breaks": breaks})
    status = await rig.until(durable, await durable.start_new("retries"))
    assert rig.output(status).startswith("Activity function 'breaks' failed: ValueError: never \n")
    kinds = [event.kind for event in status.history or ()]
    assert kinds.count(history.Kind.TASK_SCHEDULED) == 2
    assert kinds.count(history.Kind.TIMER_FIRED) == 2


async def test_unhandled_activity_failure_fails_the_instance(start_engine: StartEngine) -> None:
    def breaks(value: Any) -> None:
        raise ValueError("no audio")

    def trusts(context: Any) -> Steps:
        yield context.call_activity("breaks")

    durable = await start_engine(trusts, activities={"breaks": breaks})
    status = await rig.until(durable, await durable.start_new("trusts"))
    assert status.status is engine.Status.FAILED
    expected = (
        "Orchestrator function 'trusts' failed: Activity function 'breaks' failed: ValueError: no audio"
    )
    assert (status.output_text or "").startswith(expected)


@pytest.mark.parametrize("is_early", [True, False], ids=["event before its wait", "event after its wait"])
async def test_event_reaches_its_wait(start_engine: StartEngine, is_early: bool) -> None:  # noqa: FBT001
    def waits(context: Any) -> Steps:
        if is_early:
            yield context.wait_for_external_event("gate")
        context.set_custom_status("waiting")
        return (yield context.wait_for_external_event("go.1"))

    durable = await start_engine(waits)
    instance_id = await durable.start_new("waits")
    if not is_early:
        await rig.until(durable, instance_id, lambda status: status.custom_status_text == '"waiting"')
    await durable.raise_event(instance_id, "go.1", '{"n": 1}')
    if is_early:
        await durable.raise_event(instance_id, "gate", "1")
    assert rig.output(await rig.until(durable, instance_id)) == {"n": 1}


async def test_event_sent_twice_is_taken_once(start_engine: StartEngine) -> None:
    def waits(context: Any) -> Steps:
        first = yield context.wait_for_external_event("go.1")
        yield soon(context)
        second = yield context.wait_for_external_event("go.2")
        return [first, second]

    durable = await start_engine(waits)
    instance_id = await durable.start_new("waits")
    for _ in range(2):
        await durable.raise_event(instance_id, "go.1", "1")
    await durable.raise_event(instance_id, "go.2", "2")
    assert rig.output(await rig.until(durable, instance_id)) == [1, 2]


async def test_race_of_event_and_timer_goes_either_way(start_engine: StartEngine) -> None:
    def races(context: Any) -> Steps:
        seconds = context.get_input()
        timer, event = soon(context, seconds), context.wait_for_external_event("go")
        winner = yield context.task_any([event, timer])
        if winner == timer:
            return "late"
        timer.cancel()
        return event.result

    durable = await start_engine(races)
    late = await durable.start_new("races", rig.client_text(0.05))
    prompt = await durable.start_new("races", rig.client_text(3600))
    await durable.raise_event(prompt, "go", '"in time"')
    assert rig.output(await rig.until(durable, late)) == "late"
    assert rig.output(await rig.until(durable, prompt)) == "in time"


async def test_sub_orchestrations_return_fail_and_are_retried(start_engine: StartEngine) -> None:
    tries: list[str] = []

    def child(context: Any) -> Steps:
        yield context.call_activity("note", context.instance_id)
        if context.get_input() == "fails":
            raise ValueError("child is out")
        return [context.get_input(), context.parent_instance_id]

    def parent(context: Any) -> Steps:
        good = yield context.call_sub_orchestrator("child", "works")
        try:
            yield context.call_sub_orchestrator_with_retry(
                "child", df.RetryOptions(20, 2), "fails", "the-child"
            )
        except Exception as failure:  # noqa: BLE001 - the SDK raises a bare Exception
            return [good, str(failure)]

    durable = await start_engine(parent, child, activities={"note": tries.append})
    status = await rig.until(durable, await durable.start_new("parent", None, "the-parent"))
    good, failure = rig.output(status)
    assert good == ["works", "the-parent"]
    assert failure.startswith("Orchestrator function 'child' failed: child is out")
    assert tries[1:] == ["the-child", "the-child"]


async def test_sub_orchestration_whose_id_is_taken_fails(start_engine: StartEngine) -> None:
    def child(context: Any) -> Steps:
        yield context.wait_for_external_event("never")

    def parent(context: Any) -> Steps:
        yield context.call_sub_orchestrator("child", None, "taken")

    durable = await start_engine(parent, child)
    await durable.start_new("child", None, "taken")
    status = await rig.until(durable, await durable.start_new("parent"))
    assert "already exists" in (status.output_text or "")


async def test_custom_status_stays_until_the_next(start_engine: StartEngine) -> None:
    def reports(context: Any) -> Steps:
        context.set_custom_status({"step": "one"})
        yield context.wait_for_external_event("go")
        return "done"

    durable = await start_engine(reports)
    instance_id = await durable.start_new("reports")
    await rig.until(durable, instance_id, lambda status: status.custom_status_text == '{"step": "one"}')
    await durable.raise_event(instance_id, "go", "1")
    assert (await rig.until(durable, instance_id)).custom_status_text == '{"step": "one"}'


async def test_terminate_ends_the_parent_and_not_its_child(start_engine: StartEngine) -> None:
    def child(context: Any) -> Steps:
        return (yield context.wait_for_external_event("go"))

    def parent(context: Any) -> Steps:
        yield context.call_sub_orchestrator("child", None, "left-alone")

    durable = await start_engine(parent, child)
    instance_id = await durable.start_new("parent")
    async with asyncio.timeout(rig.PATIENCE_SECONDS):
        while not await durable.query(engine.Filters(id_prefix="left")):  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.01)
    await durable.terminate(instance_id, "not wanted")
    status = await rig.until(durable, instance_id)
    assert (status.status, status.output_text) == (engine.Status.TERMINATED, "not wanted")
    await durable.raise_event("left-alone", "go", "7")
    assert rig.output(await rig.until(durable, "left-alone")) == 7
    assert (await durable.status(instance_id)).status is engine.Status.TERMINATED


async def test_activities_keep_to_their_limit(start_engine: StartEngine) -> None:
    running, most = 0, 0

    async def busy(_: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1

    def fans_out(context: Any) -> Steps:
        yield context.task_all([context.call_activity("busy", n) for n in range(12)])

    bounds = limits.DurableLimits(max_concurrent_activities=3)
    durable = await start_engine(fans_out, activities={"busy": busy}, bounds=bounds)
    rig.output(await rig.until(durable, await durable.start_new("fans_out")))
    assert most == 3


async def test_activity_result_is_null_for_none(start_engine: StartEngine) -> None:
    def returns(context: Any) -> Steps:
        return [(yield context.call_activity("nothing"))]

    durable = await start_engine(returns, activities={"nothing": lambda _: None})
    status = await rig.until(durable, await durable.start_new("returns"))
    assert json.loads(status.output_text or "") == [None]
