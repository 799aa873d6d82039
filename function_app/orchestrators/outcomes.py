"""Outcomes: the plain dicts that steps, lanes and activities answer with.

    {"status": "completed", …}                                  its facts beside it
    {"status": "failed", "code": …, "message": …, "retryable": …}
    {"status": "cancelled"}

They lie in Durable's history, so they hold references and small facts, never text of a recording.
"""

import json
from typing import Any, Final

from contracts import errors, results, steps

Outcome = dict[str, Any]

COMPLETED: Final = steps.StepStatus.COMPLETED.value
FAILED: Final = steps.StepStatus.FAILED.value
CANCELLED: Final = steps.StepStatus.CANCELLED.value


def failed(code: errors.ErrorCode, message: str) -> Outcome:
    """A failure that no further attempt follows."""
    return {"status": FAILED, "code": code.value, "message": message, "retryable": False}


def of_event(raw: Any) -> Outcome:
    """The outcome in a StepFinished event, its usage beside it.

    `raw` may be text: what the Durable client raises as a dict arrives as a string of JSON.
    """
    event = json.loads(raw) if isinstance(raw, str) else raw
    return {**event["outcome"], "usage": event.get("usage", {})}


def is_completed(outcome: Outcome) -> bool:
    """True when there is a result."""
    return bool(outcome["status"] == COMPLETED)


def is_cancelled(outcome: Outcome) -> bool:
    """True when the run was cancelled."""
    return bool(outcome["status"] == CANCELLED)


def may_retry(outcome: Outcome) -> bool:
    """True when another attempt may help."""
    return outcome["status"] == FAILED and bool(outcome.get("retryable"))


def error_of(outcome: Outcome, step: steps.Step) -> results.RunError | None:
    """The failure as the store and the manifest keep it; None for an outcome that did not fail."""
    if outcome["status"] != FAILED:
        return None
    return results.RunError(step=step, code=errors.ErrorCode(outcome["code"]), message=outcome["message"])


def came_from_a_task(error: Exception) -> bool:
    """True for the failure of an activity or a sub-orchestration.

    The SDK throws those into the orchestrator as plain `Exception`; everything else is a mistake in the
    orchestrator itself and must fail the instance.
    """
    return type(error) is Exception


def hands_failed(activity: str, limits_attempts: int) -> Outcome:
    """An activity failed at every attempt: its store, storage or queue was away for too long."""
    return failed(
        errors.ErrorCode.INTERNAL_ERROR,
        f"{activity} failed {limits_attempts} times: the job store, blob storage or the queue was away for "
        "too long. Submit the recording again.",
    )
