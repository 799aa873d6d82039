"""Time spans as .NET writes them, because host.json and schedules hold them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

# .NET's TimeSpan "c" format: [d.]hh:mm:ss[.fffffff]
_PATTERN = re.compile(
    r"(?:(?P<days>\d+)\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{1,2}):(?P<seconds>\d{1,2})(?:\.(?P<fraction>\d{1,7}))?"
)


def parse(text: str) -> timedelta:
    """`[d.]hh:mm:ss[.fffffff]`; anything else is a ValueError that quotes it."""
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a time span such as 00:05:00")
    hours, minutes, seconds = int(match["hours"]), int(match["minutes"]), int(match["seconds"])
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError(f"{text!r} has hours over 23 or minutes or seconds over 59")
    return timedelta(
        days=int(match["days"] or 0),
        hours=hours,
        minutes=minutes,
        seconds=seconds,
        microseconds=int((match["fraction"] or "0").ljust(7, "0")[:6]),
    )


def _from_json(value: Any) -> Any:
    return parse(value) if isinstance(value, str) else value


TimeSpan = Annotated[timedelta, BeforeValidator(_from_json)]
