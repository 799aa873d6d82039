"""What went wrong at the language model's endpoint, in our codes and in sentences of ours."""

import email.utils
import math
import re
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final

import openai

from contracts.errors import ErrorCode
from function_app import errors

_QUOTA_USED_UP: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_TOO_LONG: Final = frozenset(
    {"context_length_exceeded", "string_above_max_length", "exceed_context_size_error"}
)
_TOO_LONG_IN_WORDS: Final = re.compile(r"context (?:length|size|window)|prompt is too long", re.IGNORECASE)
"""vLLM and others have no code for it. The words are looked at and never shown."""
_CODE: Final = re.compile(r"[A-Za-z][\w.-]{0,63}")
_FILTER_CATEGORIES: Final = (
    "hate",
    "sexual",
    "violence",
    "self_harm",
    "jailbreak",
    "indirect_attack",
    "profanity",
    "protected_material_text",
    "protected_material_code",
)
"""Azure's names: what a filter says of its reason."""
_FILTERED: Final = frozenset({"content_filter", "content_policy_violation"})


def of_api_error(error: openai.OpenAIError) -> errors.LanguageModelError:
    """The error tree of openai 3, mapped. Sentences name the status and the API's own code, nothing else."""
    if isinstance(error, openai.RateLimitError):
        return _of_rate_limit(error)
    if isinstance(error, openai.APIStatusError):
        return _of_status(error)
    if isinstance(error, openai.APITimeoutError):
        return _unavailable("it did not answer in time")
    return _unavailable("nothing answers at LANGUAGE_MODEL_BASE_URL")


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
        return filtered(_inner(error.body).get("content_filter_result"))
    if _is_too_long(error):
        return truncated()
    detail = f"{status}, {code}" if _CODE.fullmatch(str(code or "")) else str(status)
    return _error(
        ErrorCode.LANGUAGE_MODEL_REJECTED,
        f"The language model's endpoint refused the call ({detail}). Check LANGUAGE_MODEL_BASE_URL, its key "
        "and the model's name.",
    )


def _is_too_long(error: openai.APIStatusError) -> bool:
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or {error.code, error.type} & _TOO_LONG:
        return True
    in_words = _TOO_LONG_IN_WORDS.search(error.message)
    return error.status_code == HTTPStatus.BAD_REQUEST and in_words is not None


def _inner(body: object) -> Mapping[str, object]:
    """Azure's `innererror`."""
    inner = body.get("innererror") if isinstance(body, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


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


def filtered(categories: object = None) -> errors.LanguageModelError:
    """A content filter stepped in. `categories` as Azure describes them: each with `filtered`."""
    reason = ", ".join(name.replace("_", " ") for name in _filtered_categories(categories))
    return _error(
        ErrorCode.LANGUAGE_MODEL_FILTERED,
        "The language model's content filter withheld the answer to this recording"
        + (f": {reason}." if reason else "."),
    )


def _filtered_categories(categories: object) -> Iterator[str]:
    if not isinstance(categories, Mapping):
        return
    for name in _FILTER_CATEGORIES:
        verdict = categories.get(name)
        if isinstance(verdict, Mapping) and verdict.get("filtered") is True:
            yield name


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


def unsendable() -> errors.LanguageModelError:
    """HTTP cannot carry the request."""
    return _error(
        ErrorCode.LANGUAGE_MODEL_REJECTED,
        "The language model cannot be called: LANGUAGE_MODEL_API_KEY has characters that no key has.",
    )


def without_token() -> errors.LanguageModelError:
    """Azure gave no Entra token."""
    return _unavailable(
        "there is no Entra token for it; give the function app's identity the role Cognitive Services "
        "OpenAI User, or set LANGUAGE_MODEL_API_KEY"
    )


def _unavailable(what: str) -> errors.LanguageModelError:
    return _error(ErrorCode.LANGUAGE_MODEL_UNAVAILABLE, f"The language model is not available: {what}.")


def _error(code: ErrorCode, message: str) -> errors.LanguageModelError:
    return errors.LanguageModelError(code=code, message=message)
