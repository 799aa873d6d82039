"""When each timer fired last and is to fire next, kept so that a missed firing is noticed after a restart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from local_stack.functions_host import ncrontab, state, time_spans


class Schedule(Protocol):
    """Anything that knows its next time."""

    def next_after(self, moment: datetime) -> datetime:
        """The first time strictly after `moment`."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A schedule written as a time span: so long after each firing."""

    period: timedelta

    def next_after(self, moment: datetime) -> datetime:
        return moment + self.period


def parse(text: str) -> Schedule:
    """NCRONTAB, or a time span such as `00:05:00`. ValueError says what is wrong."""
    if ":" not in text:
        return ncrontab.parse(text)
    period = time_spans.parse(text)
    if period <= timedelta(0):
        raise ValueError(f"{text!r} is no time at all")
    return Interval(period=period)


@dataclass(frozen=True, kw_only=True)
class Status:
    """`ScheduleStatus` of a timer, in UTC."""

    last: datetime | None
    next: datetime
    updated: datetime


class Statuses:
    """One row per timer, in the host's SQLite file."""

    def __init__(self, database: state.Database) -> None:
        self._database = database

    def get(self, function: str, schedule: str) -> Status | None:
        """None when the timer is new or its schedule has changed since."""
        rows = self._database.rows(
            "SELECT last, next, updated FROM timer_schedules WHERE function = ? AND schedule = ?",
            (function, schedule),
        )
        if not rows:
            return None
        [(last, following, updated)] = rows
        return Status(
            last=datetime.fromisoformat(last) if last else None,
            next=datetime.fromisoformat(following),
            updated=datetime.fromisoformat(updated),
        )

    def put(self, function: str, schedule: str, status: Status) -> None:
        last = status.last.isoformat() if status.last else None
        row = (function, schedule, last, status.next.isoformat(), status.updated.isoformat())
        self._database.commit(
            state.CommitPoint.TIMER_NOTED,
            "INSERT OR REPLACE INTO timer_schedules (function, schedule, last, next, updated)"
            " VALUES (?, ?, ?, ?, ?)",
            [row],
        )
