"""Cursors: what went out comes back, and nothing else is taken."""

from __future__ import annotations

import base64
import string
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_app.store import cursors

MOMENT = datetime(2026, 11, 20, 10, 0, 0, 123456, tzinfo=UTC)


@given(
    created_at=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])),
    job_id=st.text(alphabet=string.hexdigits.lower(), max_size=32),
)
def test_position_comes_back_as_it_went_out(created_at: datetime, job_id: str) -> None:
    position = cursors.Position(created_at=created_at, job_id=job_id)
    assert cursors.decode(cursors.encode(position)) == position


@given(st.text())
def test_what_nobody_encoded_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        cursors.decode(text)


@pytest.mark.parametrize(
    "plain",
    [
        "null",
        "[]",
        '["2026-11-20T10:00:00+00:00"]',
        '["2026-11-20T10:00:00", "a"]',
        '["2026-11-20T10:00:00+00:00", 7]',
        '["2026-11-20T10:00:00Z", "a"]',
        '["2026-11-20T10:00:00+00:00",  "a"]',
        '["2026-11-20T10:00:00+00:00", "\\u0000"]',
        '["2026-11-20T10:00:00+00:00", "\\ud800"]',
        "[" * 10_000,
    ],
)
def test_json_of_another_form_is_refused(plain: str) -> None:
    cursor = base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")
    with pytest.raises(ValueError, match="not a cursor"):
        cursors.decode(cursor)


def test_cursor_needs_no_escaping_in_a_url() -> None:
    cursor = cursors.encode(cursors.Position(created_at=MOMENT, job_id="f" * 32))
    assert set(cursor) <= set(string.ascii_letters + string.digits + "-_")
