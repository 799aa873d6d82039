"""Which event an exception becomes."""

import errno

import structlog

from contracts import events
from contracts.errors import RETRYABLE, ErrorCode
from worker_kit import errors

log = structlog.get_logger()

PASSED_THROUGH = (
    errors.WorkAbandonedError,
    errors.BlobsUnavailableError,
    errors.QueueUnavailableError,
)
"""These become no event: the message goes back to the queue."""


def outcome_of(error: Exception) -> events.Failed | events.Cancelled:
    """The attempt's outcome; raises `error` itself when the message has to go back to the queue."""
    match error:
        case errors.StepCancelledError():
            return events.Cancelled()
        case _ if isinstance(error, PASSED_THROUGH):
            raise error
        case errors.WorkerError():
            return events.Failed(code=error.code, message=str(error), retryable=error.retryable)
        case MemoryError():
            return _failed(
                ErrorCode.OUT_OF_MEMORY, "The worker ran out of memory: give it more, or fewer steps at once."
            )
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return _failed(
                ErrorCode.DISK_FULL,
                "The worker's disk is full: its workspace must hold the file and 115 MB for each hour of it.",
            )
        case _:
            # The exception's own text stays in the log: it may quote what it worked on.
            log.error("step_crashed", exc_info=error)
            kind = type(error).__name__
            return _failed(
                ErrorCode.INTERNAL_ERROR, f"The worker failed unexpectedly ({kind}): its log says more."
            )


def _failed(code: ErrorCode, message: str) -> events.Failed:
    return events.Failed(code=code, message=message, retryable=code in RETRYABLE)
