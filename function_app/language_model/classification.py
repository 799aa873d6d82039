"""What went wrong at the language model's endpoint, in our codes and in sentences of ours."""

import email.utils
import math
import time
from collections.abc import Mapping
from typing import Final

import openai

from contracts.errors import ErrorCode
from function_app import errors

_QUOTA_USED_UP: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_TOO_LONG: Final = frozenset({"context_length_exceeded", "string_above_max_length"})
_FILTERED: Final = frozenset({"content_filter", "content_policy_violation"})


def of_api_error(error: openai.OpenAIError) -> errors.LanguageModelError:
    """The error tree of openai 3, mapped. Sentences name the status and the API's own code, nothing else."""
    if isinstance(error, openai.RateLimitError):
        return _of_rate_limit(error)
    if isinstance(error, openai.APIStatusError):
        return _of_status(error)
    if isinstance(error, openai.APITimeoutError):
        return _unavailable("it did not answer in time")
    return _unavailable("it cannot be reached")


def _of_rate_limit(error: openai.RateLimitError) -> errors.LanguageModelError:
    if error.code in _QUOTA_USED_UP:
        return _error(
            ErrorCode.LANGUAGE_MODEL_REJECTED,
            f"The language model's account has no quota left ({error.code}).",
        )
    return errors.LanguageModelError(
        code=ErrorCode.LANGUAGE_MODEL_RATE_LIMITED,
        message="The language model takes no more calls for now (429).",
        retry_after_seconds=retry_after_seconds(error.response.headers),
    )


def _of_status(error: openai.APIStatusError) -> errors.LanguageModelError:
    status, code = error.status_code, error.code
    if status >= 500 or status in (408, 409, 425):
        return _unavailable(f"it answered {status}")
    if code in _FILTERED:
        return filtered()
    if code in _TOO_LONG:
        return truncated()
    detail = f"{status}, {code}" if code else str(status)
    return _error(
        ErrorCode.LANGUAGE_MODEL_REJECTED,
        f"The language model's endpoint refused the call ({detail}). Check LANGUAGE_MODEL_BASE_URL, its key "
        "and the model's name.",
    )


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """RFC 9110 Retry-After, in seconds or as a date, and OpenAI's `retry-after-ms`; None without either."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    return seconds if seconds is not None or value is None else _until(value)


def _number(text: str | None) -> float | None:
    """A finite number that is not negative; None for anything else."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _until(date: str) -> float | None:
    try:
        return max(email.utils.parsedate_to_datetime(date).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def refused() -> errors.LanguageModelError:
    """The model declined."""
    return _error(ErrorCode.LANGUAGE_MODEL_REFUSED, "The language model declined to work on this recording.")


def filtered() -> errors.LanguageModelError:
    """A content filter stepped in."""
    return _error(
        ErrorCode.LANGUAGE_MODEL_FILTERED,
        "The language model's content filter withheld the answer to this recording.",
    )


def truncated() -> errors.LanguageModelError:
    """The answer, or the question, was too long for the model."""
    return _error(
        ErrorCode.LANGUAGE_MODEL_TRUNCATED, "The recording's text is too long for the language model."
    )


def invalid_answer() -> errors.LanguageModelError:
    """Twice in a row."""
    return _error(
        ErrorCode.LANGUAGE_MODEL_INVALID_ANSWER,
        "The language model's answer does not have the form that was asked for, twice.",
    )


def unreadable() -> errors.LanguageModelError:
    """A body that is no JSON."""
    return _unavailable("its answer broke off")


def _unavailable(what: str) -> errors.LanguageModelError:
    return _error(ErrorCode.LANGUAGE_MODEL_UNAVAILABLE, f"The language model is not available: {what}.")


def _error(code: ErrorCode, message: str) -> errors.LanguageModelError:
    return errors.LanguageModelError(code=code, message=message)
