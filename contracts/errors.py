"""Error codes: stable words for machines, each with what it means for a retry.

ErrorCode: why a step or a job failed; in events, in the store, in the API's job view
ProblemCode: why an HTTP request was refused; in problem+json answers
"""

from enum import StrEnum
from typing import Final


class ErrorCode(StrEnum):
    """Why work failed."""

    EMPTY_FILE = "empty_file"
    NOT_AUDIO = "not_audio"
    NO_AUDIO_TRACK = "no_audio_track"
    CORRUPT_AUDIO = "corrupt_audio"
    TOO_LONG = "too_long"
    TOO_LARGE = "too_large"
    UNSUPPORTED_LANGUAGE = "unsupported_language"
    SOURCE_MISSING = "source_missing"
    SOURCE_CHANGED = "source_changed"
    SCHEMA_VERSION_UNSUPPORTED = "schema_version_unsupported"
    INVALID_MESSAGE = "invalid_message"
    RUN_LOST = "run_lost"
    LANGUAGE_MODEL_REFUSED = "language_model_refused"
    LANGUAGE_MODEL_FILTERED = "language_model_filtered"
    LANGUAGE_MODEL_TRUNCATED = "language_model_truncated"
    LANGUAGE_MODEL_INVALID_ANSWER = "language_model_invalid_answer"
    LANGUAGE_MODEL_REJECTED = "language_model_rejected"
    LANGUAGE_MODEL_UNAVAILABLE = "language_model_unavailable"
    LANGUAGE_MODEL_RATE_LIMITED = "language_model_rate_limited"
    MODEL_MISMATCH = "model_mismatch"
    MODEL_UNAVAILABLE = "model_unavailable"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    QUEUE_UNAVAILABLE = "queue_unavailable"
    ENGINE_FAILED = "engine_failed"
    OUT_OF_MEMORY = "out_of_memory"
    DISK_FULL = "disk_full"
    TIMED_OUT = "timed_out"
    MESSAGE_EXPIRED = "message_expired"
    DELIVERIES_EXHAUSTED = "deliveries_exhausted"
    DEAD_LETTERED = "dead_lettered"
    INTERNAL_ERROR = "internal_error"


RETRYABLE: Final[frozenset[ErrorCode]] = frozenset(
    {
        ErrorCode.LANGUAGE_MODEL_UNAVAILABLE,
        ErrorCode.LANGUAGE_MODEL_RATE_LIMITED,
        ErrorCode.MODEL_MISMATCH,
        ErrorCode.MODEL_UNAVAILABLE,
        ErrorCode.STORAGE_UNAVAILABLE,
        ErrorCode.QUEUE_UNAVAILABLE,
        ErrorCode.ENGINE_FAILED,
        ErrorCode.OUT_OF_MEMORY,
        ErrorCode.DISK_FULL,
        ErrorCode.TIMED_OUT,
        ErrorCode.MESSAGE_EXPIRED,
        ErrorCode.DELIVERIES_EXHAUSTED,
        ErrorCode.DEAD_LETTERED,
        ErrorCode.INTERNAL_ERROR,
    }
)
"""Worth another attempt. All others are final: the same input fails again."""


class ProblemCode(StrEnum):
    """Why a request was refused."""

    INVALID_REQUEST = "invalid_request"
    UNKNOWN_OPTION = "unknown_option"
    FILE_NAME_NOT_ALLOWED = "file_name_not_allowed"
    UNKNOWN_LANGUAGE = "unknown_language"
    UNKNOWN_WORKFLOW = "unknown_workflow"
    WORKFLOW_NOT_AVAILABLE = "workflow_not_available"
    SOURCE_LANGUAGE_REQUIRED = "source_language_required"
    TRANSCRIPT_REQUIRED = "transcript_required"
    TRANSCRIPT_TOO_LARGE = "transcript_too_large"
    SOURCE_JOB_NOT_USABLE = "source_job_not_usable"
    INVALID_CURSOR = "invalid_cursor"
    JOB_NOT_FOUND = "job_not_found"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    UPLOAD_MISSING = "upload_missing"
    UPLOAD_TOO_LARGE = "upload_too_large"
    UPLOAD_EMPTY = "upload_empty"
    JOB_NOT_FINISHED = "job_not_finished"
    JOB_NOT_STARTABLE = "job_not_startable"
    JOB_ALREADY_FINISHED = "job_already_finished"
    NO_RESULTS = "no_results"
    STORE_UNAVAILABLE = "store_unavailable"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    INTERNAL_ERROR = "internal_error"
