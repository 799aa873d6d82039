"""What routes ask of a request before they do anything."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Request
from pydantic import AwareDatetime, Field
from starlette.exceptions import HTTPException

from contracts import api, contract, jobs
from contracts.errors import ProblemCode
from function_app import errors, services
from function_app.api import links
from function_app.store import job_store

QUERY: Final = (
    ProblemCode.INVALID_REQUEST,
    ProblemCode.UNKNOWN_OPTION,
    ProblemCode.UNKNOWN_WORKFLOW,
    ProblemCode.UNKNOWN_LANGUAGE,
    ProblemCode.INVALID_CURSOR,
)

BAD_BODY: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": api.Problem, "description": "`invalid_request`: the body is not JSON"}
}


class ListQuery(contract.Contract):
    """The query of GET /jobs. Other names are refused: a filter that was misspelt would give everything."""

    status: jobs.JobStatus | None = None
    workflow: jobs.Workflow | None = None
    language: str | None = None
    """BCP-47; given or identified. `und`: recordings in which nobody spoke."""
    created_from: AwareDatetime | None = None
    """This moment or later."""
    created_before: AwareDatetime | None = None
    """Earlier than this moment."""
    cursor: str | None = None
    """`next_cursor` of the page before."""
    limit: Annotated[int, Field(ge=1, le=100)] = 20


_JOB_ID: Final = re.compile("[0-9a-f]{32}")


async def parts() -> services.Services:
    """Raises StoreUnavailableError and BlobsUnavailableError while the app cannot be put together."""
    return await services.ready()


async def base_url(request: Request) -> str:
    """Where this API is for the caller."""
    return links.base_url(request, (await parts()).settings)


def job(found: services.Services, job_id: str) -> job_store.Job:
    """The caller's job. Raises JobNotFoundError, for what cannot be a job's id without asking the store."""
    if not _JOB_ID.fullmatch(job_id):
        raise errors.JobNotFoundError(job_id[:64])
    return found.store.get(tenant_id=found.settings.default_tenant_id, job_id=job_id)


def json_only(request: Request) -> None:
    """Refuses a body that says that it is something else: 415."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise HTTPException(415, "Send the body as application/json.")


def moment(field: str, value: datetime | None) -> datetime | None:
    """The moment in UTC. Raises SubmissionError for one that no calendar here reaches."""
    try:
        return None if value is None else value.astimezone(UTC)
    except OverflowError as error:
        raise errors.SubmissionError("This moment is out of range.", field=field) from error
