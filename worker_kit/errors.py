"""What can go wrong in a worker.

* WorkerError
  + StepError                 an attempt failed; becomes the `failed` event
  + StepCancelledError        the run was cancelled; becomes the `cancelled` event
  + WorkAbandonedError        the worker is stopping; the message goes back to the queue
  + MessageRejectedError      the message can never be worked on; goes to the dead letters
  + BlobError
    - BlobMissingError
    - BlobChangedError
    - BlobExistsError
    - BlobTooLargeError
  + BlobsUnavailableError     the message goes back to the queue
  + QueueUnavailableError     the message goes back to the queue
  + LockLostError             somebody else has the message, or will
  + WorkHangsError            the process ends, and is started again
"""

from contracts import blobs
from contracts.errors import RETRYABLE, ErrorCode


class WorkerError(Exception):
    """Something in a worker failed."""

    code: ErrorCode = ErrorCode.INTERNAL_ERROR
    retryable: bool = False

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class StepError(WorkerError):
    """The attempt failed."""

    def __init__(self, code: ErrorCode, message: str, *, retryable: bool | None = None) -> None:
        """`message` is a sentence for people: what happened and what to do.

        Whether another attempt may help follows from the code unless it is said.
        """
        super().__init__(message)
        self.code = code
        self.retryable = code in RETRYABLE if retryable is None else retryable


class StepCancelledError(WorkerError):
    """The run was cancelled."""


class WorkAbandonedError(WorkerError):
    """The worker stops before the work is done; another one will do it."""

    retryable = True


class MessageRejectedError(WorkerError):
    """No worker can ever work on this message."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class BlobError(WorkerError):
    """A blob could not be read or written."""

    code = ErrorCode.STORAGE_UNAVAILABLE

    def __init__(self, container: blobs.Container, path: str) -> None:
        super().__init__(f"{self.__doc__} ({container}/{path})")
        self.container = container
        self.path = path


class BlobMissingError(BlobError):
    """There is no such blob."""

    code = ErrorCode.SOURCE_MISSING


class BlobChangedError(BlobError):
    """The blob is no longer the version that was asked for."""

    code = ErrorCode.SOURCE_CHANGED


class BlobExistsError(BlobError):
    """The blob was there already; it was not overwritten."""


class BlobTooLargeError(BlobError):
    """The blob is larger than allowed."""

    code = ErrorCode.TOO_LARGE


class BlobsUnavailableError(WorkerError):
    """Blob storage does not answer."""

    code = ErrorCode.STORAGE_UNAVAILABLE
    retryable = True


class QueueUnavailableError(WorkerError):
    """Service Bus does not answer."""

    code = ErrorCode.QUEUE_UNAVAILABLE
    retryable = True


class LockLostError(WorkerError):
    """The lock on the message ran out."""

    retryable = True


class WorkHangsError(WorkerError):
    """Work that nobody waits for any more does not end, and keeps others from beginning."""

    retryable = True
