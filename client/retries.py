"""When a request is sent again, and how long to wait before."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import utils

import httpx


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Waits double from `first_wait_seconds` up to `longest_wait_seconds`."""

    attempts: int = 5
    first_wait_seconds: float = 0.2
    longest_wait_seconds: float = 5.0
    longest_retry_after_seconds: float = 60.0
    """A server that asks for more is taken at its word only up to here."""

    def waits(self) -> Iterator[float]:
        """The pauses between the attempts: one fewer than attempts."""
        for attempt in range(self.attempts - 1):
            yield min(self.first_wait_seconds * 2**attempt, self.longest_wait_seconds)

    def pause(self, planned_seconds: float, response: httpx.Response | None) -> float:
        """What the server asked for in Retry-After, or else the planned wait."""
        asked = None if response is None else retry_after_seconds(response)
        return planned_seconds if asked is None else min(asked, self.longest_retry_after_seconds)


BUSY_STATUSES = frozenset({429, 502, 503, 504})

STORAGE_BUSY_STATUSES = BUSY_STATUSES | {408, 500}
"""Blob Storage answers 500 when an operation took too long; what is sent to it may be sent twice."""


def retry_after_seconds(response: httpx.Response) -> float | None:
    """The header as seconds from now, be it a number or a date (RFC 9110, 10.2.3); None without one."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdigit():
        return float(value)
    try:
        moment = utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
