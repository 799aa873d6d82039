"""Retry-After in both of its forms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email import utils

import httpx
import pytest

from client import retries


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        ("0", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
    ],
)
def test_retry_after_in_seconds(header: str, seconds: float | None) -> None:
    assert retries.retry_after_seconds(httpx.Response(503, headers={"retry-after": header})) == seconds


def test_retry_after_as_a_date_counts_from_now() -> None:
    header = utils.format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    asked = retries.retry_after_seconds(httpx.Response(503, headers={"retry-after": header}))
    assert asked == pytest.approx(29, abs=2)


def test_server_that_asks_for_hours_is_not_obeyed() -> None:
    response = httpx.Response(503, headers={"retry-after": "7200"})
    assert retries.RetryPolicy().pause(0.2, response) == 60.0
