"""The Durable engine of the local functions host: orchestrations of five activities that do nothing.

As in the published measurements of Durable Functions, every turn of an orchestration and every activity is a
work item: a chain of five activities is 6 turns and 5 activities. The engine runs in this process with a real
database file and the limits of host.json (8 turns and 8 activities at a time); all orchestrations are started
at once and the clock runs until the last has ended. A turn takes from reading the history to being stored;
its p95 is taken over the last thousand turns of each round, under that full load. The median of three rounds
counts.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import structlog

from benchmarks import report
from local_stack.functions_host import host_json
from local_stack.functions_host.durable import engine

ORCHESTRATIONS = 100
ACTIVITIES = 5
ROUNDS = 3
_WORK_ITEMS = ORCHESTRATIONS * (2 * ACTIVITIES + 1)
_PATIENCE_SECONDS = 240


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round came to."""

    per_second: float
    turn_median_seconds: float
    turn_p95_seconds: float
    cpu_milliseconds: float
    """Processor time of one work item."""


def run() -> dict[str, Any]:
    logging.disable(logging.WARNING)  # the SDK's, about HTTP, at each function without it
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    rounds = [asyncio.run(_round()) for _ in range(ROUNDS)]
    report.show(
        f"Host: {ORCHESTRATIONS} orchestrations of {ACTIVITIES} activities, {_WORK_ITEMS} work items",
        ("round", "work items/s", "turn median s", "turn p95 s", "processor ms/work item"),
        [
            (n, each.per_second, each.turn_median_seconds, each.turn_p95_seconds, each.cpu_milliseconds)
            for n, each in enumerate(rounds, 1)
        ],
    )
    return {
        "work_items_per_second": round(statistics.median(each.per_second for each in rounds)),
        "turn_p95_seconds": round(statistics.median(each.turn_p95_seconds for each in rounds), 4),
    }


def chain(context: Any) -> Generator[Any, Any, Any]:
    """One activity after the other."""
    total = 0
    for _ in range(ACTIVITIES):
        total = yield context.call_activity("add_one", total)
    return total


async def _add_one(invocation: engine.ActivityInvocation) -> str:
    return str(int(invocation.input_text) + 1)


async def _round() -> Round:
    app = df.DFApp()
    app.orchestration_trigger(context_name="context")(chain)
    [function] = app.get_functions()
    with tempfile.TemporaryDirectory() as folder:
        durable = engine.DurableEngine(
            database=Path(folder) / "durable.sqlite",
            orchestrators={"chain": function.get_user_function()},
            activities={"add_one": _add_one},
            limits=host_json.read(report.ROOT / "host.json", {}).extensions.durable_task.engine_limits(),
        )
        await durable.start()
        try:
            return await _measure(durable)
        finally:
            await durable.stop()


async def _measure(durable: engine.DurableEngine) -> Round:
    began, cpu = time.perf_counter(), time.process_time()
    ids = await asyncio.gather(*(durable.start_new("chain") for _ in range(ORCHESTRATIONS)))
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while await durable.query(_UNFINISHED):  # noqa: ASYNC110 - there is no event for all of them
            await asyncio.sleep(0.02)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    outputs = {(await durable.status(each)).output_text for each in ids}
    if outputs != {str(ACTIVITIES)}:
        raise AssertionError(f"The orchestrations returned {outputs}.")
    turns = statistics.quantiles(durable.load().latest_turn_seconds, n=100)
    return Round(
        per_second=_WORK_ITEMS / seconds,
        turn_median_seconds=turns[49],
        turn_p95_seconds=turns[94],
        cpu_milliseconds=1000 * cpu_seconds / _WORK_ITEMS,
    )


_UNFINISHED = engine.Filters(statuses=(engine.Status.PENDING, engine.Status.RUNNING))
