"""The Durable engine killed beside each of its commits: stored is kept, the rest is as if not begun."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
from pathlib import Path

import pytest

from local_stack.functions_host.durable import engine
from tests.integration.crash_points import engine_scenarios, nursery

pytestmark = pytest.mark.acceptance_long

PATIENCE_SECONDS = 30.0


def test_every_commit_point_has_its_scenario() -> None:
    assert set(engine_scenarios.SCENARIOS) == set(engine.CommitPoint)


@pytest.mark.parametrize("moment", list(engine.Moment))
@pytest.mark.parametrize("point", list(engine.CommitPoint))
async def test_killed_beside_a_commit(
    tmp_path: Path, children: nursery.Nursery, point: engine.CommitPoint, moment: engine.Moment
) -> None:
    pid = children.start("tests.integration.crash_points.doomed_engine", str(tmp_path), point, moment)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await asyncio.to_thread(children.reap, pid) == -signal.SIGKILL, children.log.read_text()
    durable = engine_scenarios.build(tmp_path)
    await durable.start()
    try:
        await engine_scenarios.SCENARIOS[point].check(durable, moment is engine.Moment.AFTER)
    finally:
        await durable.stop()
    assert leftovers(tmp_path) == {"inbox": 0, "work": 0}
    assert len((tmp_path / "activities").read_text()) <= 2, "the activity ran again without need"


def leftovers(folder: Path) -> dict[str, int]:
    """Rows of what has ended: there must be none."""
    with contextlib.closing(sqlite3.connect(folder / "durable.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        counts = "SELECT (SELECT count(*) FROM inbox), (SELECT count(*) FROM work)"
        inbox, work = connection.execute(counts).fetchone()
        return {"inbox": inbox, "work": work}
