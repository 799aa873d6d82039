"""Errors as application/problem+json (RFC 9457): a table from codes to statuses, an answer for each error."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from contracts import api, jobs
from contracts.errors import ProblemCode
from function_app import errors

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 5

MOST_FIELD_ERRORS: Final = 50
"""A body within its limit can be wrong in a million places; nobody reads on, and the answer would be huge."""

STATUS: Final[Mapping[ProblemCode, HTTPStatus]] = {
    ProblemCode.INVALID_REQUEST: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProblemCode.UNKNOWN_OPTION: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProblemCode.FILE_NAME_NOT_ALLOWED: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProblemCode.UNKNOWN_LANGUAGE: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProblemCode.UNKNOWN_WORKFLOW: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProblemCode.WORKFLOW_NOT_AVAILABLE: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProblemCode.SOURCE_LANGUAGE_REQUIRED: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProblemCode.TRANSCRIPT_REQUIRED: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProblemCode.TRANSCRIPT_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ProblemCode.SOURCE_JOB_NOT_USABLE: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProblemCode.INVALID_CURSOR: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProblemCode.JOB_NOT_FOUND: HTTPStatus.NOT_FOUND,
    ProblemCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ProblemCode.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    ProblemCode.BODY_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ProblemCode.UPLOAD_MISSING: HTTPStatus.CONFLICT,
    ProblemCode.UPLOAD_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ProblemCode.UPLOAD_EMPTY: HTTPStatus.CONFLICT,
    ProblemCode.JOB_NOT_FINISHED: HTTPStatus.CONFLICT,
    ProblemCode.JOB_NOT_STARTABLE: HTTPStatus.CONFLICT,
    ProblemCode.JOB_ALREADY_FINISHED: HTTPStatus.CONFLICT,
    ProblemCode.NO_RESULTS: HTTPStatus.NOT_FOUND,
    ProblemCode.STORE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ProblemCode.STORAGE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ProblemCode.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""Every code of the contracts."""

_OF_STATUS: Final[Mapping[int, ProblemCode]] = {
    404: ProblemCode.NOT_FOUND,
    405: ProblemCode.METHOD_NOT_ALLOWED,
    413: ProblemCode.BODY_TOO_LARGE,
    415: ProblemCode.UNSUPPORTED_MEDIA_TYPE,
}

_ANY: Final = "*"
_OF_FIELD_ERROR: Final[Mapping[tuple[str, str], ProblemCode]] = {
    ("enum", "workflow"): ProblemCode.UNKNOWN_WORKFLOW,
    ("extra_forbidden", _ANY): ProblemCode.UNKNOWN_OPTION,
    ("string_too_long", "file_name"): ProblemCode.FILE_NAME_NOT_ALLOWED,
    ("string_too_short", "file_name"): ProblemCode.FILE_NAME_NOT_ALLOWED,
    ("string_unicode", "file_name"): ProblemCode.FILE_NAME_NOT_ALLOWED,
}
"""Pydantic's kinds of errors, in which field; all others are `invalid_request`."""


def responses(*codes: ProblemCode) -> dict[int | str, dict[str, Any]]:
    """What a route documents: its problems by status, with those that every route may have."""
    by_status: dict[int, list[str]] = {}
    for code in (*codes, ProblemCode.INTERNAL_ERROR):
        by_status.setdefault(STATUS[code].value, []).append(f"`{code}`")
    return {
        status: {"model": api.Problem, "description": " or ".join(names)}
        for status, names in sorted(by_status.items())
    }


def problem(
    code: ProblemCode,
    detail: str,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """The answer. `more`: further fields of `api.Problem`."""
    answered = STATUS[code].value if status is None else status
    body = api.Problem(
        type=f"urn:speech-flow:problem:{code}",
        title=code.replace("_", " ").capitalize(),
        status=answered,
        detail=detail,
        code=code,
        **more,
    )
    extra = {"retry-after": str(RETRY_AFTER_SECONDS)} if answered == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Response(
        body.model_dump_json(),
        status_code=answered,
        media_type=MEDIA_TYPE,
        headers={**extra, **(headers or {})},
    )


def internal_error(error: Exception, **ids: str) -> Response:
    """For what nobody expected: the answer's `instance` is the id that the log has."""
    error_id = str(uuid.uuid4())
    log.error("request_failed", error_id=error_id, exc_info=error, **ids)
    detail = "Something went wrong here. The id in `instance` is in the log."
    return problem(ProblemCode.INTERNAL_ERROR, detail, instance=f"urn:uuid:{error_id}")


def register(app: FastAPI) -> None:
    """Makes every error of the app a problem."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(errors.FunctionAppError, _ours)


async def _ours(_request: Request, error: Exception) -> Response:
    if not isinstance(error, errors.FunctionAppError):
        return internal_error(error)
    if isinstance(error, errors.BlobsUnavailableError):
        return problem(ProblemCode.STORAGE_UNAVAILABLE, str(error))
    if error.code not in STATUS or error.code == ProblemCode.INTERNAL_ERROR:
        return internal_error(error)
    more: dict[str, Any] = {}
    if isinstance(error, errors.SubmissionError):
        more["errors"] = (api.FieldError(field=error.field, message=str(error)),)
    job_status = getattr(error, "status", None)
    if isinstance(job_status, jobs.JobStatus):
        more["job_status"] = job_status
    return problem(ProblemCode(error.code), str(error), job_id=getattr(error, "job_id", None), **more)


async def _http(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return internal_error(error)
    code = _OF_STATUS.get(error.status_code, ProblemCode.INVALID_REQUEST)
    details = {
        ProblemCode.NOT_FOUND: "There is nothing at this path.",
        ProblemCode.METHOD_NOT_ALLOWED: "This path does not take this method.",
    }
    detail = details.get(code, str(error.detail))
    return problem(code, detail, status=error.status_code, headers=error.headers)


async def _invalid(_request: Request, error: Exception) -> Response:
    found: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
    if any(one["type"] == "json_invalid" for one in found):
        detail = "The body is not JSON."
        return problem(ProblemCode.INVALID_REQUEST, detail, status=HTTPStatus.BAD_REQUEST.value)
    fields = tuple(_field_errors(found[:MOST_FIELD_ERRORS]))
    told = [f"{one.field}: {one.message}" for one in fields]
    if len(found) > len(fields):
        told.append(f"and {len(found) - len(fields)} more")
    return problem(_code_of(found), "; ".join(told), errors=fields)


def _code_of(found: Iterable[Any]) -> ProblemCode:
    """That of the first error which has one of its own."""
    for one in found:
        for field in (one["loc"][-1], _ANY):
            if code := _OF_FIELD_ERROR.get((one["type"], field)):
                return code
    return ProblemCode.INVALID_REQUEST


def _field_errors(found: Iterable[Any]) -> Iterable[api.FieldError]:
    """Pydantic's sentences; never the value itself, which may be anything."""
    for one in found:
        # The first part says where: body, query, path.
        field = ".".join(str(part) for part in one["loc"][1:]) or str(one["loc"][0])
        yield api.FieldError(field=_printable(field), message=_printable(one["msg"]))


def _printable(text: str) -> str:
    """Names of unknown fields are the caller's: cut, and without lone surrogates, which UTF-8 has not."""
    return text[:200].encode("utf-8", "replace").decode()
