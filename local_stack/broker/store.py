"""The broker's state in SQLite.

WAL with synchronous=NORMAL: a commit survives the death of the process, not the loss of power. Locks stand in
a table of their own, so that locking a message never rewrites its body; the lock of a message that is removed
stays behind until it is purged, which costs less than removing both.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from local_stack.broker import errors, journal
from local_stack.broker.journal import CommitPoint

FILE_NAME: Final = "broker.sqlite3"
LOCK_NAME: Final = "broker.lock"
SCHEMA_VERSION: Final = 1

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS messages (
    sequence INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    scheduled_ms INTEGER,
    enqueued_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    delivery_count INTEGER NOT NULL,
    dead_letter_reason TEXT,
    dead_letter_description TEXT,
    dead_letter_source TEXT,
    durable INTEGER,
    priority INTEGER,
    ttl_ms INTEGER,
    annotations BLOB,
    bare BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS locks (
    sequence INTEGER PRIMARY KEY,
    token BLOB NOT NULL,
    until_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS seen (
    queue TEXT NOT NULL,
    message_id TEXT NOT NULL,
    seen_ms INTEGER NOT NULL,
    PRIMARY KEY (queue, message_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
"""

_SQL: Final[dict[journal.CommitPoint, str]] = {
    CommitPoint.MESSAGE_STORED: "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    CommitPoint.MESSAGE_REMOVED: "DELETE FROM messages WHERE sequence = ?",
    CommitPoint.MESSAGE_LOCKED: "INSERT OR REPLACE INTO locks VALUES (?, ?, ?)",
    CommitPoint.LOCK_RENEWED: "UPDATE locks SET until_ms = ? WHERE sequence = ?",
    CommitPoint.LOCK_ENDED: "DELETE FROM locks WHERE sequence = ?",
    CommitPoint.LOCKS_PURGED: "DELETE FROM locks WHERE until_ms < ?",
    CommitPoint.DELIVERY_COUNTED: "UPDATE messages SET delivery_count = ? WHERE sequence = ?",
    CommitPoint.MESSAGE_ACTIVATED: (
        "UPDATE messages SET sequence = ?, scheduled_ms = NULL, enqueued_ms = ?, expires_ms = ?"
        " WHERE sequence = ?"
    ),
    CommitPoint.MESSAGE_DEAD_LETTERED: (
        "UPDATE messages SET queue = ?, delivery_count = ?, dead_letter_reason = ?,"
        " dead_letter_description = ?, dead_letter_source = ? WHERE sequence = ?"
    ),
    CommitPoint.ID_REMEMBERED: "INSERT OR REPLACE INTO seen VALUES (?, ?, ?)",
    CommitPoint.ID_FORGOTTEN: "DELETE FROM seen WHERE queue = ? AND message_id = ?",
    CommitPoint.SEQUENCES_RESERVED: "INSERT OR REPLACE INTO counters VALUES ('next_sequence', ?)",
}

_MESSAGES: Final = (
    "SELECT m.sequence, scheduled_ms, enqueued_ms, expires_ms, delivery_count, dead_letter_reason,"
    " dead_letter_description, dead_letter_source, durable, priority, ttl_ms, annotations,"
    " length(bare) AS bare_bytes, l.token, l.until_ms"
    " FROM messages m LEFT JOIN locks l ON l.sequence = m.sequence WHERE m.queue = ? ORDER BY m.sequence"
)


class Moment(StrEnum):
    """A moment beside a commit."""

    BEFORE = "before"
    AFTER = "after"


# Called for each statement of a transaction, just before and just after that is in the file; must not raise.
CommitWatch = Callable[[CommitPoint, Moment], None]


class StateDirectory:
    """A directory that one broker at a time may use. The lock is the process's: its death frees it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> Path:
        """Take the directory and return the database's path; raise StateInUseError when it is taken."""
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self._path / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as failure:
            raise errors.ConfigurationError(
                f"The state directory {self._path} cannot be used: {failure.strerror}."
            ) from failure
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as failure:
            self.release()
            raise errors.StateInUseError(
                f"Another broker uses {self._path}; stop it, or give this one its own --state."
            ) from failure
        return self._path / FILE_NAME

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class Store:
    """One SQLite file, written by one thread."""

    def __init__(self, path: Path | str, *, max_bytes: int = 0, watch: CommitWatch | None = None) -> None:
        """Open or create the file; ":memory:" lives as long as the object. `max_bytes` 0: no limit.

        `watch` is called beside every commit; tests end the process there.
        """
        self._watch = watch
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, cached_statements=64)
            self._writer = self._connection.cursor()
            self._prepare()
            if max_bytes:
                self._limit(max_bytes)
        except sqlite3.Error as failure:
            raise errors.ConfigurationError(
                f"{path} cannot be used as the broker's state: {failure}."
            ) from failure

    def _prepare(self) -> None:
        self._connection.row_factory = sqlite3.Row
        # One process, one connection: locks taken once and an index of the WAL in memory save a third of a
        # commit. The kernel frees the locks however the process ends.
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        # Debian's SQLite would write zeros over every deleted message.
        self._connection.execute("PRAGMA secure_delete = OFF")
        # Messages that come and go soon rarely reach the file proper: it gets 32 MiB of WAL at a time.
        self._connection.execute("PRAGMA wal_autocheckpoint = 8192")
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA_VERSION):
            raise sqlite3.DatabaseError(f"it has version {version} and this broker reads {SCHEMA_VERSION}")
        self._connection.executescript(_SCHEMA)
        self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _limit(self, max_bytes: int) -> None:
        page_bytes = self._connection.execute("PRAGMA page_size").fetchone()[0]
        self._connection.execute(f"PRAGMA max_page_count = {max(1, max_bytes // page_bytes)}")

    def commit(self, statements: Sequence[journal.Statement]) -> None:
        """Write all statements or none; raise StoreError for none."""
        try:
            execute = self._writer.execute
            execute("BEGIN IMMEDIATE")
            for point, parameters in statements:
                execute(_SQL[point], parameters)
            self._tell(statements, Moment.BEFORE)
            execute("COMMIT")
            self._tell(statements, Moment.AFTER)
        except sqlite3.Error as failure:
            self._roll_back()
            raise errors.StoreError(f"The broker could not write its state: {failure}.") from failure

    def _tell(self, statements: Sequence[journal.Statement], moment: Moment) -> None:
        if self._watch is not None:
            for statement in statements:
                self._watch(statement.point, moment)

    def _roll_back(self) -> None:
        # SQLite has already rolled back by itself after some failures, a full disk among them.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def messages(self, queue: str) -> list[sqlite3.Row]:
        """All messages of one queue by sequence number, with their locks, without their bodies."""
        return self._connection.execute(_MESSAGES, (queue,)).fetchall()

    def bare(self, sequence: int) -> bytes:
        row = self._connection.execute("SELECT bare FROM messages WHERE sequence = ?", (sequence,)).fetchone()
        return bytes(row[0])

    def seen(self, queue: str) -> list[tuple[str, int]]:
        """Message ids remembered for duplicate detection, oldest first."""
        rows = self._connection.execute(
            "SELECT message_id, seen_ms FROM seen WHERE queue = ? ORDER BY seen_ms", (queue,)
        )
        return [(row[0], row[1]) for row in rows]

    def next_sequence(self) -> int:
        row = self._connection.execute("SELECT value FROM counters WHERE name = 'next_sequence'").fetchone()
        return 1 if row is None else int(row[0])

    def queues(self) -> set[str]:
        """The queues that hold messages, lower case, `/$deadletterqueue` included."""
        return {row[0] for row in self._connection.execute("SELECT DISTINCT queue FROM messages")}

    def execute(self, sql: str) -> Any:
        """Run one statement outside the turns of the broker: checks and pragmas."""
        return self._connection.execute(sql).fetchall()

    def close(self) -> None:
        self._connection.close()
