"""What activities answer orchestrators with: plain dicts, small, never text of a recording."""

from typing import Any, Final

from contracts import errors, steps

Answer = dict[str, Any]

DONE: Final[Answer] = {"status": steps.StepStatus.COMPLETED.value}
CANCELLED: Final[Answer] = {"status": steps.StepStatus.CANCELLED.value}
SENT: Final[Answer] = {"status": "sent"}
UNFINISHED: Final[Answer] = {"status": "unfinished", "progressed": True}


def failed(code: str, message: str, *, retryable: bool | None = None, **more: Any) -> Answer:
    """A failure; whether another attempt may help follows from its code unless it is said."""
    may_retry = errors.ErrorCode(code) in errors.RETRYABLE if retryable is None else retryable
    return {
        "status": steps.StepStatus.FAILED.value,
        "code": str(code),
        "message": message,
        "retryable": may_retry,
        **more,
    }
