"""The function app's errors.

* FunctionAppError
  + JobNotFoundError
  + TransitionRefusedError
    - JobNotStartableError
  + JobNotFinishedError
  + NoResultsError
  + SubmissionError
    - FileNameError
    - UnknownLanguageError
    - SourceLanguageRequiredError
    - WorkflowNotAvailableError
    - TranscriptRequiredError
    - TranscriptTooLargeError
    - SourceJobNotUsableError
    - InvalidCursorError
  + UploadError
    - UploadMissingError
    - UploadEmptyError
    - UploadTooLargeError
  + RejectedFileError
  + MessageError
  + InstanceMissingError
  + StoreUnavailableError
  + BlobError
    - BlobMissingError
    - BlobChangedError
    - BlobExistsError
    - BlobsUnavailableError
  + QueueUnavailableError
  + DurableUnavailableError
  + LanguageModelError
"""

from contracts import drop_folder, errors, jobs


class FunctionAppError(Exception):
    """Something in the function app failed."""

    code: str = errors.ErrorCode.INTERNAL_ERROR
    retryable: bool = False

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class JobNotFoundError(FunctionAppError):
    """There is no such job."""

    code = errors.ProblemCode.JOB_NOT_FOUND

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job {job_id}.")
        self.job_id = job_id


class TransitionRefusedError(FunctionAppError):
    """The job's status does not allow this."""

    code = errors.ProblemCode.JOB_ALREADY_FINISHED

    def __init__(self, *, job_id: str, status: jobs.JobStatus, wanted: str) -> None:
        super().__init__(f"Job {job_id} is {status}: it cannot be {wanted}.")
        self.job_id = job_id
        self.status = status


class JobNotStartableError(TransitionRefusedError):
    """The job was cancelled, or expired before its upload came."""

    code = errors.ProblemCode.JOB_NOT_STARTABLE


class JobNotFinishedError(FunctionAppError):
    """The job has no results yet."""

    code = errors.ProblemCode.JOB_NOT_FINISHED

    def __init__(self, *, job_id: str, status: jobs.JobStatus) -> None:
        super().__init__(f"Job {job_id} is {status}: its results are not there yet.")
        self.job_id = job_id
        self.status = status


class NoResultsError(FunctionAppError):
    """The job never had results, or they were removed."""

    code = errors.ProblemCode.NO_RESULTS

    def __init__(self, *, job_id: str, status: jobs.JobStatus) -> None:
        super().__init__(f"Job {job_id} is {status} and has no results.")
        self.job_id = job_id
        self.status = status


class SubmissionError(FunctionAppError):
    """What was asked for is not possible; `field` names the part of the request."""

    code = errors.ProblemCode.INVALID_REQUEST

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class FileNameError(SubmissionError):
    """No file can be known by this name."""

    code = errors.ProblemCode.FILE_NAME_NOT_ALLOWED


class UnknownLanguageError(SubmissionError):
    """The language is none of BCP-47's."""

    code = errors.ProblemCode.UNKNOWN_LANGUAGE


class SourceLanguageRequiredError(SubmissionError):
    """This workflow does not identify the language: it must be given."""

    code = errors.ProblemCode.SOURCE_LANGUAGE_REQUIRED


class WorkflowNotAvailableError(SubmissionError):
    """The workflow is known and cannot be had here."""

    code = errors.ProblemCode.WORKFLOW_NOT_AVAILABLE


class TranscriptRequiredError(SubmissionError):
    """This workflow begins with a transcript, and none was given."""

    code = errors.ProblemCode.TRANSCRIPT_REQUIRED


class TranscriptTooLargeError(SubmissionError):
    """The transcript is longer than a request may carry."""

    code = errors.ProblemCode.TRANSCRIPT_TOO_LARGE


class SourceJobNotUsableError(SubmissionError):
    """The job that was named has no transcript to begin with."""

    code = errors.ProblemCode.SOURCE_JOB_NOT_USABLE


class InvalidCursorError(SubmissionError):
    """The cursor is none that a list of jobs has given."""

    code = errors.ProblemCode.INVALID_CURSOR


class UploadError(FunctionAppError):
    """The upload cannot be worked on."""


class UploadMissingError(UploadError):
    """Nothing has been uploaded yet: PUT the file to the job's upload_url first."""

    code = errors.ProblemCode.UPLOAD_MISSING


class UploadEmptyError(UploadError):
    """The uploaded file is empty: PUT it again."""

    code = errors.ProblemCode.UPLOAD_EMPTY


class UploadTooLargeError(UploadError):
    """The file is larger than this deployment takes."""

    code = errors.ProblemCode.UPLOAD_TOO_LARGE


class RejectedFileError(FunctionAppError):
    """The dropped file cannot become a job."""

    def __init__(self, code: drop_folder.RejectionCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.rejection = drop_folder.Rejection(code=code, message=message)


class MessageError(FunctionAppError):
    """A message is not what its queue carries."""

    code = errors.ErrorCode.INVALID_MESSAGE


class InstanceMissingError(FunctionAppError):
    """Nobody waits for this event yet: it must come again later."""

    code = errors.ErrorCode.RUN_LOST
    retryable = True


class StoreUnavailableError(FunctionAppError):
    """The job store does not answer."""

    code = errors.ProblemCode.STORE_UNAVAILABLE
    retryable = True


class BlobError(FunctionAppError):
    """A blob could not be read or written."""

    code = errors.ErrorCode.STORAGE_UNAVAILABLE


class BlobMissingError(BlobError):
    """There is no such blob."""

    code = errors.ErrorCode.SOURCE_MISSING


class BlobChangedError(BlobError):
    """The blob is no longer the version that was pinned."""

    code = errors.ErrorCode.SOURCE_CHANGED


class BlobExistsError(BlobError):
    """The blob was there already; it was not overwritten."""


class BlobsUnavailableError(BlobError):
    """Blob storage does not answer."""

    retryable = True


class QueueUnavailableError(FunctionAppError):
    """Service Bus does not take the message."""

    code = errors.ErrorCode.QUEUE_UNAVAILABLE
    retryable = True


class DurableUnavailableError(FunctionAppError):
    """Durable Functions does not answer."""

    retryable = True


class LanguageModelError(FunctionAppError):
    """The language model gave no usable answer."""

    def __init__(
        self,
        *,
        code: errors.ErrorCode,
        message: str,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = code in errors.RETRYABLE
        self.retry_after_seconds = retry_after_seconds
