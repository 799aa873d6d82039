"""For each commit point of the Durable engine: what leads to it, and what is true after a kill there."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from local_stack.functions_host.durable import engine, errors
from tests.integration.durable import rig

INSTANCE: Final = "one"
_RETURNED: Final = [21, "yes"]


def waits(context: Any) -> Generator[Any, Any, Any]:
    """An activity, then an event."""
    doubled = yield context.call_activity("triple", 7)
    answer = yield context.wait_for_external_event("go.1")
    return [doubled, answer]


def build(folder: Path, watch: engine.CommitWatch | None = None) -> engine.DurableEngine:
    def triple(number: int) -> int:
        with (folder / "activities").open("a") as begun:
            begun.write(".")
        return 3 * number

    return rig.build(folder, waits, activities={"triple": triple}, watch=watch)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`act` runs in the engine that dies at the nth such commit, `check(engine, is_after)` in the next."""

    act: Callable[[engine.DurableEngine], Awaitable[None]]
    check: Callable[[engine.DurableEngine, bool], Awaitable[None]]
    nth: int = 1


async def _start(durable: engine.DurableEngine) -> None:
    await durable.start_new("waits", None, INSTANCE)
    await rig.until(durable, INSTANCE)


async def _answer(durable: engine.DurableEngine) -> None:
    await durable.raise_event(INSTANCE, "go.1", '"yes"')


async def _start_and_answer(durable: engine.DurableEngine) -> None:
    await durable.start_new("waits", None, INSTANCE)
    await _answer(durable)
    await rig.until(durable, INSTANCE)


async def _start_and_terminate(durable: engine.DurableEngine) -> None:
    await durable.start_new("waits", None, INSTANCE)
    await rig.until(durable, INSTANCE, lambda status: status.status is engine.Status.RUNNING)
    await durable.terminate(INSTANCE, "enough")
    await rig.until(durable, INSTANCE)


async def _start_answer_and_purge(durable: engine.DurableEngine) -> None:
    await _start_and_answer(durable)
    await durable.purge(INSTANCE)


async def _exists(durable: engine.DurableEngine) -> bool:
    with contextlib.suppress(errors.InstanceNotFoundError):
        await durable.status(INSTANCE)
        return True
    return False


async def _ends_well(durable: engine.DurableEngine) -> None:
    assert rig.output(await rig.until(durable, INSTANCE)) == _RETURNED
    status = await durable.status(INSTANCE, show_history=True)
    answered = [event.task_id for event in status.history or () if "TaskScheduledId" in event.fields]
    assert len(answered) == 1, "the activity's result was taken once"


async def _started_or_absent(durable: engine.DurableEngine, is_after: bool) -> None:  # noqa: FBT001
    assert await _exists(durable) == is_after
    if not is_after:
        await durable.start_new("waits", None, INSTANCE)
    await _answer(durable)
    await _ends_well(durable)


async def _raised_or_not(durable: engine.DurableEngine, is_after: bool) -> None:  # noqa: FBT001
    if not is_after:
        status = await rig.until(durable, INSTANCE, lambda one: one.status is engine.Status.RUNNING)
        assert status.output_text is None
        await _answer(durable)
    await _ends_well(durable)


async def _terminated_or_running(durable: engine.DurableEngine, is_after: bool) -> None:  # noqa: FBT001
    if is_after:
        status = await rig.until(durable, INSTANCE)
        assert status.status is engine.Status.TERMINATED
        return
    await _answer(durable)
    await _ends_well(durable)


async def _purged_or_whole(durable: engine.DurableEngine, is_after: bool) -> None:  # noqa: FBT001
    assert await _exists(durable) != is_after
    if not is_after:
        await _ends_well(durable)
        assert await durable.purge(INSTANCE) == 1


async def _goes_on(durable: engine.DurableEngine, _is_after: bool) -> None:  # noqa: FBT001
    await _ends_well(durable)


SCENARIOS: Final[dict[engine.CommitPoint, Scenario]] = {
    engine.CommitPoint.INSTANCE_STARTED: Scenario(act=_start, check=_started_or_absent),
    engine.CommitPoint.EVENT_RAISED: Scenario(act=_start_and_answer, check=_raised_or_not),
    engine.CommitPoint.TERMINATION_REQUESTED: Scenario(
        act=_start_and_terminate, check=_terminated_or_running
    ),
    engine.CommitPoint.INSTANCES_PURGED: Scenario(act=_start_answer_and_purge, check=_purged_or_whole),
    engine.CommitPoint.TURN_ENDED: Scenario(act=_start_and_answer, check=_goes_on, nth=2),
    engine.CommitPoint.ACTIVITY_ENDED: Scenario(act=_start_and_answer, check=_goes_on),
}
