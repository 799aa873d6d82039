"""How long an endpoint asks to be left alone."""

import email.utils
import time

import pytest

from function_app.language_model import classification


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "30"}, 30.0),
        ({"retry-after": "0.5"}, 0.5),
        # OpenAI's own header is finer.
        ({"retry-after": "1", "retry-after-ms": "250"}, 0.25),
        # A date that is over.
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after-ms": "soon"}, None),
        ({"retry-after-ms": "inf"}, None),
    ],
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert classification.retry_after_seconds(headers) == seconds


def test_retry_after_as_a_date_counts_from_now() -> None:
    date = email.utils.formatdate(time.time() + 60, usegmt=True)
    assert classification.retry_after_seconds({"retry-after": date}) == pytest.approx(60, abs=3)
