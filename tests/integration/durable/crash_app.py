"""Twenty orchestrations that use everything, in a process that may be killed at any time.

Run as `python -m tests.integration.durable.crash_app FOLDER [POINT MOMENT NTH]`: it kills itself just before
or just after the NTH commit of that kind. Its activities write a line each to FOLDER/progress.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import azure.durable_functions as df

from local_stack.functions_host.durable import engine, errors
from tests.integration.durable import rig

JOBS = tuple(f"job.{number}" for number in range(20))
Steps = Generator[Any, Any, Any]


def job(context: Any) -> Steps:
    number = context.get_input()
    prepared = yield context.call_activity("work", number)
    lanes = yield context.task_all([context.call_sub_orchestrator("lane", [number, lane]) for lane in (1, 2)])
    yield context.create_timer(context.current_utc_datetime + timedelta(seconds=0.05))
    patience = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
    event = context.wait_for_external_event("go.1")
    yield context.task_any([event, patience])
    patience.cancel()
    # It fails once in each process: attempts enough for as many crashes as any test makes.
    retried = yield context.call_activity_with_retry("flaky", df.RetryOptions(20, 10), number)
    context.set_custom_status("done")
    return [prepared, lanes, event.result, retried]


def lane(context: Any) -> Steps:
    number, which = context.get_input()
    return (
        yield context.task_all([context.call_activity("work", number * which * 10 + n) for n in range(2)])
    )


def expected(number: int) -> Any:
    """What `job` returns, however often it was interrupted."""
    lanes = [[-(number * which * 10 + n) for n in range(2)] for which in (1, 2)]
    return [-number, lanes, f"go {number}", f"ok {number}"]


def build(folder: Path, watch: engine.CommitWatch | None = None) -> engine.DurableEngine:
    failures: Counter[int] = Counter()

    def note() -> None:
        with (folder / "progress").open("a") as progress:
            progress.write(".\n")

    def work(number: int) -> int:
        note()
        return -number

    def flaky(number: int) -> str:
        note()
        failures[number] += 1
        if failures[number] == 1:
            raise ConnectionError("not the first time")
        return f"ok {number}"

    return rig.build(folder, job, lane, activities={"work": work, "flaky": flaky}, watch=watch)


async def drive(durable: engine.DurableEngine) -> list[engine.InstanceStatus]:
    """Does what clients do, after a crash too: starts each job, sends it its event, waits for its end."""
    for number, instance_id in enumerate(JOBS):
        try:
            await durable.status(instance_id)
        except errors.InstanceNotFoundError:
            await durable.start_new("job", rig.client_text(number), instance_id)
    for number, instance_id in enumerate(JOBS):
        with contextlib.suppress(errors.InstanceFinishedError):
            await durable.raise_event(instance_id, "go.1", f'"go {number}"')
    return [await rig.until(durable, instance_id) for instance_id in JOBS]


def killer(point: str, moment: str, nth: int) -> engine.CommitWatch:
    """Ends this process, as the kernel would, at the nth such commit."""
    seen: Counter[tuple[str, str]] = Counter()

    def watch(now_point: engine.CommitPoint, now_moment: engine.Moment) -> None:
        seen[now_point, now_moment] += 1
        if (now_point, now_moment) == (point, moment) and seen[point, moment] == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    return watch


async def main(folder: Path, watch: Callable[[engine.CommitPoint, engine.Moment], None] | None) -> None:
    durable = build(folder, watch)
    await durable.start()
    await drive(durable)
    await durable.stop()


if __name__ == "__main__":
    arguments = sys.argv[2:]
    chosen = killer(arguments[0], arguments[1], int(arguments[2])) if arguments else None
    asyncio.run(main(Path(sys.argv[1]), chosen))
