"""Timer schedules come when NCrontab says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_stack.functions_host import ncrontab, timer_schedules


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "now", "expected"),
    [
        # every five minutes, at the minute
        ("0 */5 * * * *", "2026-11-20T17:03:10", "2026-11-20T17:05:00"),
        # strictly after: not now again
        ("0 */5 * * * *", "2026-11-20T17:05:00", "2026-11-20T17:10:00"),
        # parts of a second do not bring an earlier time
        ("* * * * * *", "2026-11-20T17:05:00.900000", "2026-11-20T17:05:01"),
        # over the year's end
        ("0 0 0 1 1 *", "2026-11-20T00:00:00", "2027-01-01T00:00:00"),
        # weekdays by name and as a range: Friday evening waits for Monday
        ("0 30 9 * * Mon-Fri", "2026-11-20T18:00:00", "2026-11-23T09:30:00"),
        # Sunday is 0
        ("0 0 12 * * 0", "2026-11-20T00:00:00", "2026-11-22T12:00:00"),
        # day and weekday must both match: Friday the 13th
        ("0 0 0 13 * 5", "2026-11-20T00:00:00", "2027-08-13T00:00:00"),
        # leap day
        ("0 0 0 29 2 *", "2026-11-20T00:00:00", "2028-02-29T00:00:00"),
        # lists, ranges with steps, and a start with a step
        ("0 0 8-18/5,22 * * *", "2026-11-20T13:30:00", "2026-11-20T18:00:00"),
        ("0 0 8-18/5,22 * * *", "2026-11-20T18:30:00", "2026-11-20T22:00:00"),
        ("0 5/20 * * * *", "2026-11-20T17:06:00", "2026-11-20T17:25:00"),
        # months by name
        ("0 0 0 1 mar,jun *", "2026-11-20T00:00:00", "2027-03-01T00:00:00"),
        # five fields: the seconds are 0
        ("*/5 * * * *", "2026-11-20T17:03:10", "2026-11-20T17:05:00"),
        # a time span
        ("00:00:30", "2026-11-20T17:03:10", "2026-11-20T17:03:40"),
        ("1.00:00:00", "2026-11-20T17:03:10", "2026-11-21T17:03:10"),
    ],
)
def test_next_time(expression: str, now: str, expected: str) -> None:
    assert timer_schedules.parse(expression).next_after(at(now)) == at(expected)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "* * * * * * *",
        "60 * * * * *",
        "* * 24 * * *",
        "* * * 0 * *",
        "* * * * 13 *",
        "* * * * * 7",
        "5-1 * * * * *",
        "*/0 * * * * *",
        "x * * * * *",
        "* * * * smarch *",
        "*-5 * * * * *",
        "00:00:00",
        "25:00:00",
        "00:5",
    ],
)
def test_bad_schedule_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        timer_schedules.parse(expression)


def test_schedule_that_never_comes_says_so() -> None:
    with pytest.raises(ValueError, match="never comes"):
        ncrontab.parse("0 0 0 31 2 *").next_after(at("2026-11-20T00:00:00"))


@given(
    second=st.integers(0, 59),
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    now=st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)),  # noqa: DTZ001 # zone added
)
def test_daily_schedule_comes_within_a_day_at_its_time(
    second: int, minute: int, hour: int, now: datetime
) -> None:
    moment = now.replace(tzinfo=UTC)
    following = ncrontab.parse(f"{second} {minute} {hour} * * *").next_after(moment)
    assert moment < following <= moment + timedelta(days=1)
    assert (following.hour, following.minute, following.second) == (hour, minute, second)
