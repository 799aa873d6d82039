"""What orchestrators make of answers and of errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contracts import steps
from contracts.errors import ErrorCode
from function_app import run_inputs
from function_app.orchestrators import hands, outcomes

EVENT = {
    "outcome": {"status": "failed", "code": "not_audio", "message": "Text.", "retryable": False},
    "usage": {"run_seconds": 2.0},
}


@pytest.mark.parametrize("raw", [EVENT, json.dumps(EVENT)])
def test_event_is_read_as_a_dict_and_as_text(raw: Any) -> None:
    # The Durable client turns a dict into a string of JSON; the HTTP endpoint does not.
    outcome = outcomes.of_event(raw)
    assert outcome["usage"] == {"run_seconds": 2.0}
    error = outcomes.error_of(outcome, steps.Step.PREPARE)
    assert error is not None
    assert (error.step, error.code) == (steps.Step.PREPARE, ErrorCode.NOT_AUDIO)


@pytest.mark.parametrize(
    ("error", "is_task_failure"),
    [
        (Exception("Activity function 'x' failed"), True),
        # Mistakes of ours must fail the instance.
        (KeyError("outcome"), False),
        (ValueError("no plan"), False),
    ],
)
def test_only_the_sdks_own_failures_are_handled(error: Exception, *, is_task_failure: bool) -> None:
    assert outcomes.came_from_a_task(error) is is_task_failure


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 5.0), (2, 10.0), (3, 20.0), (9, 300.0)])
def test_pauses_grow_up_to_a_bound(attempt: int, seconds: float) -> None:
    assert hands.retry_delay_seconds(run_inputs.Limits(), attempt) == seconds
