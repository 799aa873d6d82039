"""The client's errors.

* SpeechFlowError
  + ServerUnreachableError
  + ServerBusyError
  + RequestRefusedError
    - InvalidRequestError
    - NotFoundError
    - ConflictError
  + UnexpectedAnswerError
  + UploadFailedError
  + DownloadFailedError
  + FileUnreadableError
  + InvalidValueError
  + WaitTimedOutError
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from contracts import api, errors


class SpeechFlowError(Exception):
    """Something went wrong between this client and Speech Flow."""

    code: str = "client_error"
    retryable: bool = False

    def __init__(self, message: str | None = None, *, job_id: str | None = None) -> None:
        super().__init__(message or self.__doc__)
        self.job_id = job_id


class ServerUnreachableError(SpeechFlowError):
    """Nothing answers at the server's address."""

    code = "server_unreachable"
    retryable = True

    def __init__(self, url: str, *, job_id: str | None = None) -> None:
        super().__init__(
            f"Speech Flow does not answer at {url}: "
            "start it with `make up`, or name another server with --url.",
            job_id=job_id,
        )
        self.url = url


class ServerBusyError(SpeechFlowError):
    """The server answers, but could not do the work after several attempts."""

    code = "server_busy"
    retryable = True


class RequestRefusedError(SpeechFlowError):
    """The server refused the request and said why."""

    def __init__(self, problem: api.Problem, *, job_id: str | None = None) -> None:
        super().__init__(_sentence(problem), job_id=problem.job_id or job_id)
        self.problem = problem
        self.code = problem.code


class InvalidRequestError(RequestRefusedError):
    """The request itself is wrong; it would be refused again."""


class NotFoundError(RequestRefusedError):
    """There is no such job, or no such path."""


class ConflictError(RequestRefusedError):
    """The job's status does not allow this."""


class UnexpectedAnswerError(SpeechFlowError):
    """The server's answer is not one of Speech Flow's."""

    code = "unexpected_answer"


class UploadFailedError(SpeechFlowError):
    """The file could not be uploaded."""

    code = "upload_failed"


class DownloadFailedError(SpeechFlowError):
    """A result file could not be read."""

    code = "download_failed"


class FileUnreadableError(SpeechFlowError):
    """The file cannot be read on this machine."""

    code = "file_unreadable"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} cannot be read: {reason}.")
        self.path = path


class InvalidValueError(SpeechFlowError):
    """Something that was given cannot be sent as it is."""

    code = "invalid_value"


class WaitTimedOutError(SpeechFlowError):
    """The job did not end in the time that was allowed; it goes on."""

    code = "wait_timed_out"
    retryable = True


_BY_STATUS: Final[Mapping[int, type[RequestRefusedError]]] = MappingProxyType(
    {
        400: InvalidRequestError,
        404: NotFoundError,
        409: ConflictError,
        413: InvalidRequestError,
        415: InvalidRequestError,
        422: InvalidRequestError,
    }
)


def refusal(problem: api.Problem, *, job_id: str | None = None) -> RequestRefusedError:
    """The error that a problem+json answer stands for."""
    return _BY_STATUS.get(problem.status, RequestRefusedError)(problem, job_id=job_id)


def is_no_results(error: RequestRefusedError) -> bool:
    """True when the job ended without leaving anything to read."""
    return error.code in (errors.ProblemCode.NO_RESULTS, errors.ProblemCode.JOB_NOT_FINISHED)


def _sentence(problem: api.Problem) -> str:
    details = "; ".join(f"{wrong.field}: {wrong.message}" for wrong in problem.errors)
    sentence = problem.detail or problem.title
    return f"{sentence} ({details})" if details else sentence
