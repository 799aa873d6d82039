"""The host's own SQLite file: blob receipts and timer schedules; orchestrations have another one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from local_stack.functions_host import errors
from local_stack.functions_host.durable.database import Moment

_SCHEMA = """
CREATE TABLE IF NOT EXISTS blob_receipts (
    function TEXT NOT NULL,
    container TEXT NOT NULL,
    blob TEXT NOT NULL,
    etag TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_attempt_at REAL NOT NULL,
    error TEXT,
    PRIMARY KEY (function, container, blob, etag)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS timer_schedules (
    function TEXT PRIMARY KEY,
    schedule TEXT NOT NULL,
    last TEXT,
    next TEXT NOT NULL,
    updated TEXT NOT NULL
) WITHOUT ROWID;
"""


class CommitPoint(StrEnum):
    """Every kind of transaction there is."""

    ATTEMPT_BEGUN = "attempt_begun"
    RETRY_NOTED = "retry_noted"
    BLOB_DONE = "blob_done"
    BLOB_PUT_ASIDE = "blob_put_aside"
    RECEIPTS_FORGOTTEN = "receipts_forgotten"
    TIMER_NOTED = "timer_noted"


# Called for each transaction, just before and just after it is in the file; must not raise.
CommitWatch = Callable[[CommitPoint, Moment], None]


class Database:
    """The open file; used from one thread. The one place where anything in it is committed."""

    def __init__(self, connection: sqlite3.Connection, watch: CommitWatch | None = None) -> None:
        self._connection = connection
        self._watch = watch or (lambda _point, _moment: None)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        return self._connection.execute(sql, parameters).fetchall()

    def commit(self, point: CommitPoint, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run the statement for every row, all in one transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany(sql, rows)
            self._watch(point, Moment.BEFORE)
            self._connection.execute("COMMIT")
        except Exception:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._watch(point, Moment.AFTER)

    def close(self) -> None:
        self._connection.close()


def connect(path: Path, *, watch: CommitWatch | None = None) -> Database:
    """An open database with its tables. `watch` is called beside every commit; tests end the process there.

    WAL with synchronous=NORMAL: what was written survives SIGKILL, though not a power cut. Raises
    DatabaseUnusableError: no such folder, no room, or another file.
    """
    try:
        return Database(_open(path), watch)
    except (OSError, sqlite3.Error) as error:
        raise errors.DatabaseUnusableError(f"{path}: {error}.") from error


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA busy_timeout=5000")
        connection.executescript(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
