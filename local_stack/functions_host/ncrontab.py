"""NCRONTAB: the timer trigger's six fields, `{second} {minute} {hour} {day} {month} {day-of-week}`, in UTC.

Written here because the cron libraries put seconds last, and fire when the day *or* the weekday matches;
NCrontab wants both to match.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}

# 29 February on a given weekday comes back within 40 years, also across a century without leap day.
_YEARS_AHEAD = 41


@dataclass(frozen=True, kw_only=True)
class _Field:
    name: str
    lowest: int
    highest: int
    names: Mapping[str, int]


_FIELDS = (
    _Field(name="second", lowest=0, highest=59, names={}),
    _Field(name="minute", lowest=0, highest=59, names={}),
    _Field(name="hour", lowest=0, highest=23, names={}),
    _Field(name="day", lowest=1, highest=31, names={}),
    _Field(name="month", lowest=1, highest=12, names=_MONTHS),
    _Field(name="day of week", lowest=0, highest=6, names=_WEEKDAYS),
)

_ITEM = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When a timer fires; the numbers of each field in ascending order, Sunday is 0."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    def next_after(self, moment: datetime) -> datetime:
        """The first time strictly after `moment`, in the same zone; ValueError when there is none."""
        start = moment.replace(microsecond=0) + timedelta(seconds=1)
        for day in self._days_from(start):
            for time_of_day in self._times(day, start):
                return time_of_day
        raise ValueError("the schedule never comes")

    def _days_from(self, start: datetime) -> Iterator[datetime]:
        midnight = start.replace(hour=0, minute=0, second=0)
        for offset in range(_YEARS_AHEAD * 366):
            day = midnight + timedelta(days=offset)
            weekday = (day.weekday() + 1) % 7
            if day.month in self.months and day.day in self.days and weekday in self.weekdays:
                yield day

    def _times(self, day: datetime, start: datetime) -> Iterator[datetime]:
        for hour in self.hours:
            if day.replace(hour=hour, minute=59, second=59) < start:
                continue
            for minute in self.minutes:
                if day.replace(hour=hour, minute=minute, second=59) < start:
                    continue
                for second in self.seconds:
                    moment = day.replace(hour=hour, minute=minute, second=second)
                    if moment >= start:
                        yield moment


def parse(expression: str) -> Schedule:
    """Six fields, or five with the seconds 0 left out. ValueError says which field is wrong and why."""
    texts = expression.split()
    if len(texts) == 5:
        texts = ["0", *texts]
    if len(texts) != len(_FIELDS):
        raise ValueError(f"{expression!r} has {len(texts)} fields and not 6")
    seconds, minutes, hours, days, months, weekdays = (
        _numbers(field, text) for field, text in zip(_FIELDS, texts, strict=True)
    )
    return Schedule(
        seconds=seconds, minutes=minutes, hours=hours, days=days, months=months, weekdays=weekdays
    )


def _numbers(field: _Field, text: str) -> tuple[int, ...]:
    return tuple(sorted({number for item in text.split(",") for number in _item(field, item)}))


def _item(field: _Field, item: str) -> range:
    match = _ITEM.fullmatch(item)
    if match is None or (match["first"] == "*" and match["last"]):
        raise ValueError(f"{item!r} is not a {field.name}")
    step = int(match["step"] or 1)
    if step == 0:
        raise ValueError(f"{item!r} steps by 0")
    if match["first"] == "*":
        return range(field.lowest, field.highest + 1, step)
    first = _number(field, match["first"])
    if match["last"] is None:
        # As in NCrontab, `5/15` runs from 5 to the field's end.
        return range(first, (field.highest if match["step"] else first) + 1, step)
    last = _number(field, match["last"])
    if last < first:
        raise ValueError(f"{item!r} ends before it begins")
    return range(first, last + 1, step)


def _number(field: _Field, text: str) -> int:
    number = field.names.get(text[:3].lower()) if not text.isdigit() else int(text)
    if number is None or not field.lowest <= number <= field.highest:
        raise ValueError(f"{text!r} is not a {field.name} from {field.lowest} to {field.highest}")
    return number
