"""A commit that no list of commit points names is found: the file changes where nothing was announced."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from local_stack.functions_host import receipts, state, timer_schedules
from local_stack.functions_host.durable import engine
from local_stack.functions_host.durable.database import Moment
from tests.integration.durable import crash_app, rig


class Ledger:
    """A watch that compares SQLite's own count of others' commits beside each commit it is told of."""

    def __init__(self) -> None:
        self.announced: set[str] = set()
        self.unlisted_before: list[str] = []
        self._connection: sqlite3.Connection | None = None
        self._version = 0

    def open(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._version = self._now()

    def close(self) -> None:
        assert self._connection is not None
        if self._now() != self._version:
            self.unlisted_before.append("the end")
        self._connection.close()

    def __call__(self, point: str, moment: Moment) -> None:
        self.announced.add(point)
        version = self._now()
        if moment is Moment.BEFORE and version != self._version:
            self.unlisted_before.append(point)
        self._version = version

    def _now(self) -> int:
        assert self._connection is not None
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version


@contextlib.contextmanager
def opened(ledger: Ledger, file: Path) -> Iterator[None]:
    ledger.open(file)
    yield
    ledger.close()


async def test_engine_commits_nothing_that_its_commit_points_do_not_name(tmp_path: Path) -> None:
    ledger = Ledger()
    durable = crash_app.build(tmp_path, ledger)
    await durable.start()
    with opened(ledger, tmp_path / "durable.sqlite"):
        await crash_app.drive(durable)
        await durable.start_new("job", rig.client_text(1), "unwanted")
        await durable.terminate("unwanted", "enough")
        await rig.until(durable, "unwanted")
        assert await durable.purge("unwanted") == 1
        assert await durable.purge_many(engine.Filters()) > len(crash_app.JOBS)
        await durable.stop()
    assert ledger.unlisted_before == []
    assert ledger.announced == set(engine.CommitPoint)


def test_host_commits_nothing_that_its_commit_points_do_not_name(tmp_path: Path) -> None:
    ledger = Ledger()
    file = tmp_path / "host.sqlite"
    database = state.connect(file, watch=ledger)
    with opened(ledger, file):
        store, key = (
            receipts.Receipts(database),
            receipts.Key(function="f", container="c", blob="b", etag="1"),
        )
        store.begin(key)
        store.retry_after(key, delay_seconds=0, error="no")
        store.put_aside(key, error="no")
        store.finish(key)
        assert store.forget_absent({"f"}, listed=(), keep=()) == 1
        statuses = timer_schedules.Statuses(database)
        now = datetime.now(UTC)
        statuses.put("f", "* * * * * *", timer_schedules.Status(last=None, next=now, updated=now))
        assert statuses.get("f", "* * * * * *")
    database.close()
    assert ledger.unlisted_before == []
    assert ledger.announced == set(state.CommitPoint)
