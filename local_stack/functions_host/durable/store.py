"""What is written: one function per transaction, to be run by Database.commit.

Each returns what has come due by it, so that the scheduler, which keeps that in memory, learns of it only
once it is on disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from local_stack.functions_host.durable import errors, history, instants, values

_FINAL = tuple(sorted(values.FINAL))


@dataclass(frozen=True, kw_only=True)
class Wake:
    """An instance has something to play at `due`."""

    instance_id: str
    due: str


@dataclass(frozen=True, kw_only=True)
class WorkItem:
    """An activity to run; at least once, its result stored at most once."""

    instance_id: str
    execution_id: str
    task: values.ActivityTask


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What a transaction has brought about."""

    wakes: tuple[Wake, ...] = ()
    work: tuple[WorkItem, ...] = ()
    dropped_messages: int = 0


def start_instance(
    connection: sqlite3.Connection, *, execution: values.Execution, input_text: str | None, now: datetime
) -> Effects:
    """Creates the instance, silently replacing a finished one, as overridableExistingInstanceStates does.

    Raises InstanceExistsError while one of that id is pending or running.
    """
    row = connection.execute(
        "SELECT status FROM instances WHERE instance_id = ?", (execution.instance_id,)
    ).fetchone()
    if row and row["status"] not in values.FINAL:
        raise errors.InstanceExistsError(
            f"An Orchestration instance with the status {row['status']} already exists."
        )
    _delete(connection, execution.instance_id)
    at = instants.text(now)
    _insert_instance(connection, execution, input_text, at)
    started = history.execution_started(
        at=at,
        name=execution.name,
        version=execution.version,
        input_text=input_text,
        instance_id=execution.instance_id,
        execution_id=execution.execution_id,
    )
    return Effects(wakes=(_put(connection, execution.instance_id, execution.execution_id, at, started),))


def send_message(connection: sqlite3.Connection, *, instance_id: str, event: history.Event) -> Effects:
    """Puts a client's event (raised, terminated) into the inbox of whatever execution runs.

    Raises InstanceNotFoundError or InstanceFinishedError.
    """
    row = connection.execute("SELECT status FROM instances WHERE instance_id = ?", (instance_id,)).fetchone()
    if row is None:
        raise errors.InstanceNotFoundError(f"No instance with ID '{instance_id}' found.")
    if row["status"] in values.FINAL:
        raise errors.InstanceFinishedError(f"Instance '{instance_id}' is {row['status']}.")
    return Effects(wakes=(_put(connection, instance_id, None, event.timestamp, event),))


def end_turn(
    connection: sqlite3.Connection,
    *,
    execution: values.Execution,
    played: int,
    consumed: Sequence[int],
    outcome: values.Outcome,
    now: datetime,
) -> Effects | None:
    """Stores a turn with all its effects; None, storing nothing, if that execution has gone meanwhile.

    `played` is the number of events that the turn found in the history, `consumed` the inbox rows it played.
    """
    if not _update_status(connection, execution, outcome, now):
        return None
    connection.executemany("DELETE FROM inbox WHERE id = ?", [(row_id,) for row_id in consumed])
    _append_history(connection, execution, played, outcome.new_events)
    wakes = _put_timers(connection, execution, outcome.timers)
    for child in outcome.children:
        wakes += _start_child(connection, execution, child, now)
    work = _put_work(connection, execution, outcome.activities)
    if not outcome.status.is_final:
        return Effects(wakes=tuple(wakes), work=work)
    # Nothing can be played any more: late completions, cancelled timers and unawaited events go.
    dropped = connection.execute("DELETE FROM inbox WHERE instance_id = ?", (execution.instance_id,)).rowcount
    wakes += _tell_parent(connection, execution, outcome, instants.text(now))
    return Effects(wakes=tuple(wakes), work=work, dropped_messages=dropped)


def end_activity(connection: sqlite3.Connection, *, item: WorkItem, event: history.Event) -> Effects:
    """Stores an activity's result for its instance; of a repeated activity the first result counts."""
    deleted = connection.execute(
        "DELETE FROM work WHERE instance_id = ? AND execution_id = ? AND task_id = ?",
        (item.instance_id, item.execution_id, item.task.task_id),
    )
    if deleted.rowcount == 0 or not _is_running(connection, item.instance_id, item.execution_id):
        return Effects(dropped_messages=1)
    return Effects(wakes=(_put(connection, item.instance_id, item.execution_id, event.timestamp, event),))


def purge(connection: sqlite3.Connection, *, instance_ids: Sequence[str]) -> int:
    """Deletes everything of these instances, whatever their status; returns how many there were."""
    return sum(_delete(connection, instance_id) for instance_id in instance_ids)


def _update_status(
    connection: sqlite3.Connection, execution: values.Execution, outcome: values.Outcome, now: datetime
) -> bool:
    """False if that execution has ended or gone."""
    updated = connection.execute(
        "UPDATE instances SET status = ?, output = ?, custom_status = coalesce(?, custom_status),"
        " updated_at = ? WHERE instance_id = ? AND execution_id = ? AND status NOT IN (?, ?, ?)",
        (
            outcome.status,
            outcome.output_text,
            outcome.custom_status_text,
            instants.text(now),
            execution.instance_id,
            execution.execution_id,
            *_FINAL,
        ),
    )
    return updated.rowcount == 1


def _append_history(
    connection: sqlite3.Connection, execution: values.Execution, played: int, events: Sequence[history.Event]
) -> None:
    connection.executemany(
        "INSERT INTO history VALUES (?, ?, ?)",
        [(execution.instance_id, played + place, history.dumps(event)) for place, event in enumerate(events)],
    )


def _insert_instance(
    connection: sqlite3.Connection, execution: values.Execution, input_text: str | None, at: str
) -> None:
    parent = execution.parent
    connection.execute(
        "INSERT INTO instances VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, ?, ?, ?, ?, ?)",
        (
            execution.instance_id,
            execution.execution_id,
            execution.name,
            execution.version,
            values.Status.PENDING,
            input_text,
            parent.instance_id if parent else None,
            parent.execution_id if parent else None,
            parent.task_id if parent else None,
            at,
            at,
        ),
    )


def _put(
    connection: sqlite3.Connection, instance_id: str, execution_id: str | None, due: str, event: history.Event
) -> Wake:
    connection.execute(
        "INSERT INTO inbox (instance_id, execution_id, due, event) VALUES (?, ?, ?, ?)",
        (instance_id, execution_id, due, history.dumps(event)),
    )
    return Wake(instance_id=instance_id, due=due)


def _put_timers(
    connection: sqlite3.Connection, execution: values.Execution, timers: Sequence[values.Timer]
) -> list[Wake]:
    wakes = []
    for timer in timers:
        at = instants.text(timer.fire_at)
        event = history.timer_fired(at=at, task_id=timer.task_id, fire_at=at)
        wakes.append(_put(connection, execution.instance_id, execution.execution_id, at, event))
    return wakes


def _put_work(
    connection: sqlite3.Connection, execution: values.Execution, tasks: Sequence[values.ActivityTask]
) -> tuple[WorkItem, ...]:
    connection.executemany(
        "INSERT INTO work VALUES (?, ?, ?, ?, ?)",
        [
            (execution.instance_id, execution.execution_id, task.task_id, task.name, task.input_text)
            for task in tasks
        ],
    )
    return tuple(
        WorkItem(instance_id=execution.instance_id, execution_id=execution.execution_id, task=task)
        for task in tasks
    )


def _start_child(
    connection: sqlite3.Connection, parent: values.Execution, child: values.Child, now: datetime
) -> list[Wake]:
    """Starts a sub-orchestration; one whose id is taken fails at once in its parent (in Azure it hangs)."""
    link = values.Parent(
        instance_id=parent.instance_id, execution_id=parent.execution_id, task_id=child.task_id
    )
    execution = values.Execution(
        instance_id=child.instance_id,
        execution_id=values.new_execution_id(),
        name=child.name,
        version=child.version,
        parent=link,
    )
    try:
        return list(
            start_instance(connection, execution=execution, input_text=child.input_text, now=now).wakes
        )
    except errors.InstanceExistsError as taken:
        at = instants.text(now)
        event = history.sub_orchestration_failed(at=at, task_id=child.task_id, reason=str(taken), details="")
        return [_put(connection, parent.instance_id, parent.execution_id, at, event)]


def _tell_parent(
    connection: sqlite3.Connection, execution: values.Execution, outcome: values.Outcome, at: str
) -> list[Wake]:
    """Answers the parent's task, if that execution of the parent is still there to hear it."""
    parent = execution.parent
    if parent is None or not _is_running(connection, parent.instance_id, parent.execution_id):
        return []
    if outcome.status is values.Status.COMPLETED:
        event = history.sub_orchestration_completed(at=at, task_id=parent.task_id, result=outcome.output_text)
    else:
        event = history.sub_orchestration_failed(
            at=at, task_id=parent.task_id, reason=outcome.output_text or "", details=outcome.failure_details
        )
    return [_put(connection, parent.instance_id, parent.execution_id, at, event)]


def _is_running(connection: sqlite3.Connection, instance_id: str, execution_id: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM instances WHERE instance_id = ? AND execution_id = ? AND status NOT IN (?, ?, ?)",
        (instance_id, execution_id, *_FINAL),
    ).fetchone()
    return row is not None


def _delete(connection: sqlite3.Connection, instance_id: str) -> int:
    for table in ("history", "inbox", "work"):
        connection.execute(f"DELETE FROM {table} WHERE instance_id = ?", (instance_id,))  # noqa: S608 - constants
    return connection.execute("DELETE FROM instances WHERE instance_id = ?", (instance_id,)).rowcount
