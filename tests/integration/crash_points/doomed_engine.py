"""A Durable engine that kills itself beside a commit; run by the nursery, in a process of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

from local_stack.functions_host.durable import engine
from tests.integration.crash_points import engine_scenarios, killing


def main(folder: str, point: str, moment: str) -> None:
    asyncio.run(_live_and_die(Path(folder), engine.CommitPoint(point), moment))


async def _live_and_die(folder: Path, point: engine.CommitPoint, moment: str) -> None:
    scenario = engine_scenarios.SCENARIOS[point]
    durable = engine_scenarios.build(folder, watch=killing.killer(point, moment, scenario.nth))
    await durable.start()
    await scenario.act(durable)
