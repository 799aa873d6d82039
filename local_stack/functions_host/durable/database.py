"""The SQLite file: one writer thread, one reader thread, and the one place where anything is committed.

WAL with synchronous=FULL: what a client was answered survives a power cut, not only SIGKILL. Commits that
wait at the same time share one fsync (group commit), so that costs little. One process at a time: a lock
file says who; the kernel frees it however the process ends.
"""

from __future__ import annotations

import asyncio
import enum
import fcntl
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from local_stack.functions_host.durable import errors

_T = TypeVar("_T")
_LARGEST_GROUP = 128

_SCHEMA = """
CREATE TABLE IF NOT EXISTS instances (
  instance_id TEXT PRIMARY KEY,
  execution_id TEXT NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  status TEXT NOT NULL,
  input TEXT,
  output TEXT,
  custom_status TEXT,
  parent_instance_id TEXT,
  parent_execution_id TEXT,
  parent_task_id INTEGER,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (
  instance_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  event TEXT NOT NULL,
  PRIMARY KEY (instance_id, seq)
) WITHOUT ROWID;
-- What has arrived, or will at `due`, and has not been played. No execution_id: for whichever is running.
CREATE TABLE IF NOT EXISTS inbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  instance_id TEXT NOT NULL,
  execution_id TEXT,
  due TEXT NOT NULL,
  event TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS inbox_by_instance ON inbox (instance_id, due);
-- Activities to run; a row goes in the transaction that stores its result.
CREATE TABLE IF NOT EXISTS work (
  instance_id TEXT NOT NULL,
  execution_id TEXT NOT NULL,
  task_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  input TEXT NOT NULL,
  PRIMARY KEY (instance_id, execution_id, task_id)
) WITHOUT ROWID;
"""


class CommitPoint(enum.StrEnum):
    """Every kind of transaction there is."""

    INSTANCE_STARTED = "instance_started"
    EVENT_RAISED = "event_raised"
    TERMINATION_REQUESTED = "termination_requested"
    INSTANCES_PURGED = "instances_purged"
    TURN_ENDED = "turn_ended"
    ACTIVITY_ENDED = "activity_ended"


class Moment(enum.StrEnum):
    """A moment beside a commit."""

    BEFORE = "before"
    AFTER = "after"


# Called in the writer thread for each transaction, just before and just after it is on disk; must not raise.
CommitWatch = Callable[[CommitPoint, Moment], None]


@dataclass(frozen=True, kw_only=True)
class _Job:
    point: CommitPoint
    work: Callable[[sqlite3.Connection], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    on_committed: Callable[[Any], None]


class Database:
    """Opened once, used from one event loop."""

    def __init__(self, path: Path, *, watch: CommitWatch | None = None) -> None:
        self._path = path
        self._watch = watch or (lambda _point, _moment: None)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="durable-writer", daemon=True)
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="durable-reader")
        self._is_open = False

    def open(self) -> None:
        """Creates the file where there is none. Raises DatabaseInUseError while another process has it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = self._take_lock()
        self._write_connection = self._connect()
        self._write_connection.executescript(_SCHEMA)
        self._read_connection = self._connect()
        # What a query wrote would be committed where nobody is told of it.
        self._read_connection.execute("PRAGMA query_only=ON")
        self._is_open = True
        self._writer.start()

    async def commit(
        self,
        point: CommitPoint,
        work: Callable[[sqlite3.Connection], _T],
        *,
        on_committed: Callable[[_T], None] = lambda _: None,
    ) -> _T:
        """Runs `work` in a transaction and returns its result once that is on disk.

        `on_committed` gets the result on the event loop, even if the caller was cancelled meanwhile: what is
        stored must not be forgotten in memory. An exception of `work` undoes its own changes only and is
        raised here.
        """
        if not self._is_open:
            raise errors.EngineStoppedError
        loop = asyncio.get_running_loop()
        job = _Job(point=point, work=work, loop=loop, future=loop.create_future(), on_committed=on_committed)
        self._jobs.put(job)
        result: _T = await job.future
        return result

    async def read(self, query: Callable[[sqlite3.Connection], _T]) -> _T:
        """Runs a query on what is committed; the whole query sees one state of the database."""
        if not self._is_open:
            raise errors.EngineStoppedError
        return await asyncio.get_running_loop().run_in_executor(self._reader, self._read_in_snapshot, query)

    def close(self) -> None:
        """Commits what is queued, then lets the file go."""
        if not self._is_open:
            return
        self._is_open = False
        self._jobs.put(None)
        self._writer.join()
        self._reader.shutdown()
        self._write_connection.close()
        self._read_connection.close()
        self._lock.close()

    def _take_lock(self) -> IO[str]:
        lock = self._path.with_suffix(self._path.suffix + ".lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            lock.close()
            raise errors.DatabaseInUseError(f"{self._path} is in use by another process") from cause
        return lock

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA busy_timeout=5000")
        return connection

    def _read_in_snapshot(self, query: Callable[[sqlite3.Connection], _T]) -> _T:
        self._read_connection.execute("BEGIN")
        try:
            return query(self._read_connection)
        finally:
            self._read_connection.execute("COMMIT")

    def _write_all(self) -> None:
        job = self._jobs.get()
        while job:
            group = [job, *self._waiting()]
            self._commit_group([each for each in group if each])
            job = None if None in group else self._jobs.get()

    def _waiting(self) -> list[_Job | None]:
        waiting: list[_Job | None] = []
        while len(waiting) < _LARGEST_GROUP:
            try:
                waiting.append(self._jobs.get_nowait())
            except queue.Empty:
                break
        return waiting

    def _commit_group(self, group: list[_Job]) -> None:
        try:
            self._write_connection.execute("BEGIN IMMEDIATE")
            answers = [self._try(job) for job in group]
            self._tell(group, Moment.BEFORE)
            self._write_connection.execute("COMMIT")
            self._tell(group, Moment.AFTER)
        except Exception as failure:  # noqa: BLE001 - a full disk, say: everyone who waits is told
            self._roll_back()
            answers = [(None, failure)] * len(group)
        for job, (result, problem) in zip(group, answers, strict=True):
            job.loop.call_soon_threadsafe(_answer, job, result, problem)

    def _try(self, job: _Job) -> tuple[Any, Exception | None]:
        self._write_connection.execute("SAVEPOINT job")
        try:
            result = job.work(self._write_connection)
        except Exception as failure:  # noqa: BLE001 - raised again where the caller waits
            self._write_connection.execute("ROLLBACK TO job")
            self._write_connection.execute("RELEASE job")
            return None, failure
        self._write_connection.execute("RELEASE job")
        return result, None

    def _tell(self, group: list[_Job], moment: Moment) -> None:
        for job in group:
            self._watch(job.point, moment)

    def _roll_back(self) -> None:
        if self._write_connection.in_transaction:
            self._write_connection.execute("ROLLBACK")


def _answer(job: _Job, result: Any, problem: Exception | None) -> None:
    if problem is None:
        job.on_committed(result)
    if job.future.done():  # the caller was cancelled; the transaction stands all the same
        return
    if problem:
        job.future.set_exception(problem)
    else:
        job.future.set_result(result)
