"""What is read: one function per query, to be run by Database.read."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from local_stack.functions_host.durable import history, instants, store, values


@dataclass(frozen=True, kw_only=True)
class InstanceStatus:
    """An instance as clients see it. `input_text`, `output_text` and `custom_status_text` are as stored."""

    name: str
    instance_id: str
    version: str
    status: values.Status
    input_text: str | None
    output_text: str | None
    custom_status_text: str | None
    created_at: str
    updated_at: str
    history: tuple[history.Event, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which instances; all of them by default. Answers come in order of id, after `after_instance_id`."""

    statuses: Sequence[str] = ()
    created_from: datetime | None = None
    created_to: datetime | None = None
    id_prefix: str = ""
    after_instance_id: str = ""
    limit: int | None = None


@dataclass(frozen=True, kw_only=True)
class LoadedTurn:
    """An instance with what it has to play now."""

    execution: values.Execution
    past: tuple[history.Event, ...]
    inbox: tuple[history.Event, ...]
    inbox_ids: tuple[int, ...]


def load_turn(connection: sqlite3.Connection, *, instance_id: str, now: datetime) -> LoadedTurn | None:
    """None when there is nothing to play: instance gone or finished, inbox empty or not yet due."""
    row = connection.execute("SELECT * FROM instances WHERE instance_id = ?", (instance_id,)).fetchone()
    if row is None or row["status"] in values.FINAL:
        return None
    # By due time, so that after a pause a timer and an event come in the order in which they fell.
    due = connection.execute(
        "SELECT id, execution_id, event FROM inbox WHERE instance_id = ? AND due <= ? ORDER BY due, id",
        (instance_id, instants.text(now)),
    ).fetchall()
    if not due:
        return None
    mine = [each for each in due if each["execution_id"] in (None, row["execution_id"])]
    return LoadedTurn(
        execution=_execution(row),
        past=_history(connection, instance_id),
        inbox=tuple(history.loads(each["event"]) for each in mine),
        inbox_ids=tuple(each["id"] for each in due),
    )


def all_due(connection: sqlite3.Connection) -> store.Effects:
    """Everything that waits, for the start of a host: whatever was under way runs again."""
    wakes = connection.execute("SELECT DISTINCT instance_id, due FROM inbox").fetchall()
    work = connection.execute("SELECT * FROM work").fetchall()
    return store.Effects(
        wakes=tuple(store.Wake(instance_id=row["instance_id"], due=row["due"]) for row in wakes),
        work=tuple(
            store.WorkItem(
                instance_id=row["instance_id"],
                execution_id=row["execution_id"],
                task=values.ActivityTask(task_id=row["task_id"], name=row["name"], input_text=row["input"]),
            )
            for row in work
        ),
    )


def status(connection: sqlite3.Connection, *, instance_id: str, show_history: bool) -> InstanceStatus | None:
    row = connection.execute("SELECT * FROM instances WHERE instance_id = ?", (instance_id,)).fetchone()
    if row is None:
        return None
    return _status(row, _history(connection, instance_id) if show_history else None)


def query(connection: sqlite3.Connection, *, filters: Filters) -> list[InstanceStatus]:
    conditions = ["instance_id > ?", "substr(instance_id, 1, ?) = ?"]
    parameters: list[object] = [filters.after_instance_id, len(filters.id_prefix), filters.id_prefix]
    if filters.statuses:
        conditions.append(f"status IN ({', '.join('?' * len(filters.statuses))})")
        parameters += filters.statuses
    if filters.created_from:
        conditions.append("created_at >= ?")
        parameters.append(instants.text(filters.created_from))
    if filters.created_to:
        conditions.append("created_at <= ?")
        parameters.append(instants.text(filters.created_to))
    where = " AND ".join(conditions)
    limit = -1 if filters.limit is None else filters.limit
    rows = connection.execute(
        f"SELECT * FROM instances WHERE {where} ORDER BY instance_id LIMIT ?",  # noqa: S608 - only placeholders
        (*parameters, limit),
    )
    return [_status(row, None) for row in rows]


def purge_finished(connection: sqlite3.Connection, *, filters: Filters) -> int:
    """Deletes the finished instances among those that match; a transaction, for Database.commit."""
    found = [each.instance_id for each in query(connection, filters=filters) if each.status.is_final]
    return store.purge(connection, instance_ids=found)


def _history(connection: sqlite3.Connection, instance_id: str) -> tuple[history.Event, ...]:
    rows = connection.execute("SELECT event FROM history WHERE instance_id = ? ORDER BY seq", (instance_id,))
    return tuple(history.loads(row["event"]) for row in rows)


def _execution(row: sqlite3.Row) -> values.Execution:
    parent = None
    if row["parent_instance_id"] is not None:
        parent = values.Parent(
            instance_id=row["parent_instance_id"],
            execution_id=row["parent_execution_id"],
            task_id=row["parent_task_id"],
        )
    return values.Execution(
        instance_id=row["instance_id"],
        execution_id=row["execution_id"],
        name=row["name"],
        version=row["version"],
        parent=parent,
    )


def _status(row: sqlite3.Row, events: tuple[history.Event, ...] | None) -> InstanceStatus:
    return InstanceStatus(
        name=row["name"],
        instance_id=row["instance_id"],
        version=row["version"],
        status=values.Status(row["status"]),
        input_text=row["input"],
        output_text=row["output"],
        custom_status_text=row["custom_status"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        history=events,
    )
