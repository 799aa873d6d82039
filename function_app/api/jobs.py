"""The routes under /jobs."""

import asyncio
from datetime import timedelta
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Path, Query, Response

from contracts import api, blobs, workflows
from contracts.errors import ProblemCode
from function_app import cancellations, errors, runs, services, uploads
from function_app.api import durable, job_results, links, problems, requests, submissions, texts, views
from function_app.store import job_store

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/jobs", tags=["jobs"])

_JobId = Annotated[str, Path(description="As POST /jobs gave it.", examples=["0" * 32])]
_Base = Annotated[str, Depends(requests.base_url)]
_Parts = Annotated[services.Services, Depends(requests.parts)]

_AWAY = (ProblemCode.STORE_UNAVAILABLE, ProblemCode.STORAGE_UNAVAILABLE)
_ONE_JOB = (ProblemCode.JOB_NOT_FOUND, *_AWAY)

UPLOAD_HEADERS = {"x-ms-blob-type": "BlockBlob"}
"""Blob Storage refuses a PUT that does not say what kind of blob it makes."""


@router.post(
    "",
    status_code=201,
    dependencies=[Depends(requests.json_only)],
    responses=problems.responses(
        ProblemCode.INVALID_REQUEST,
        ProblemCode.UNKNOWN_OPTION,
        ProblemCode.FILE_NAME_NOT_ALLOWED,
        ProblemCode.UNKNOWN_WORKFLOW,
        ProblemCode.WORKFLOW_NOT_AVAILABLE,
        ProblemCode.UNKNOWN_LANGUAGE,
        ProblemCode.SOURCE_LANGUAGE_REQUIRED,
        ProblemCode.TRANSCRIPT_REQUIRED,
        ProblemCode.TRANSCRIPT_TOO_LARGE,
        ProblemCode.SOURCE_JOB_NOT_USABLE,
        ProblemCode.UPLOAD_TOO_LARGE,
        ProblemCode.BODY_TOO_LARGE,
        ProblemCode.UNSUPPORTED_MEDIA_TYPE,
        *_AWAY,
    )
    | requests.BAD_BODY,
)
async def create_job(
    submission: api.JobSubmission, parts: _Parts, base: _Base, response: Response
) -> api.JobCreated | api.JobQueued:
    """Makes a job and says where its file goes: PUT it to `upload_url` with `upload_headers`.

    A job that begins with a transcript needs no file: it is queued, and begins.
    """
    made: api.JobCreated | api.JobQueued
    if workflows.starts_from_text(submission.workflow):
        made = await _create_from_text(submission, parts, base)
    else:
        made = await asyncio.to_thread(_create_for_upload, submission, parts, base)
    response.headers["location"] = made.links.self
    return made


def _create_for_upload(submission: api.JobSubmission, parts: services.Services, base: str) -> api.JobCreated:
    new = submissions.new_job(submission, parts.settings)
    # Before the job is written: a job without its URL would be of no use.
    url, expires_at = parts.blobs.upload_url(
        blobs.Container.AUDIO_FILES,
        blobs.source_path(tenant_id=new.tenant_id, job_id=new.job_id),
        lifetime=timedelta(minutes=parts.settings.upload_url_minutes),
    )
    job = parts.store.create(new)
    log.info("job_created", job_id=job.job_id, workflow=job.workflow, priority=job.priority)
    return api.JobCreated(
        job_id=job.job_id,
        status=job.status,
        upload_url=url,
        upload_headers=UPLOAD_HEADERS,
        upload_expires_at=expires_at,
        links=links.of_job(base, job.job_id),
    )


async def _create_from_text(
    submission: api.JobSubmission, parts: services.Services, base: str
) -> api.JobQueued:
    job = await asyncio.to_thread(texts.create, parts, submission)
    log.info("job_created", job_id=job.job_id, workflow=job.workflow, priority=job.priority)
    try:
        await runs.start_run(durable.client(), job, parts.settings)
    except errors.DurableUnavailableError:
        # The job is queued: the sweep starts what Durable could not take now.
        log.warning("run_start_put_off", job_id=job.job_id, exc_info=True)
    return api.JobQueued(job_id=job.job_id, status=job.status, links=links.of_job(base, job.job_id))


@router.get("", responses=problems.responses(*requests.QUERY, ProblemCode.STORE_UNAVAILABLE))
def list_jobs(parts: _Parts, base: _Base, query: Annotated[requests.ListQuery, Query()]) -> api.JobList:
    """Jobs, newest first."""
    wanted = job_store.JobFilter(
        status=query.status,
        workflow=query.workflow,
        language=None if query.language is None else submissions.known_language("language", query.language),
        created_from=requests.moment("created_from", query.created_from),
        created_before=requests.moment("created_before", query.created_before),
    )
    try:
        page = parts.store.list(
            tenant_id=parts.settings.default_tenant_id,
            job_filter=wanted,
            cursor=query.cursor,
            limit=query.limit,
        )
    except ValueError as error:
        raise errors.InvalidCursorError(str(error), field="cursor") from error
    return api.JobList(jobs=tuple(views.of_job(job, base) for job in page.jobs), next_cursor=page.next_cursor)


@router.get(
    "/{job_id}", responses=problems.responses(ProblemCode.JOB_NOT_FOUND, ProblemCode.STORE_UNAVAILABLE)
)
def get_job(job_id: _JobId, parts: _Parts, base: _Base) -> api.JobView:
    """Where the job stands, step by step."""
    return views.of_job(requests.job(parts, job_id), base)


@router.post(
    "/{job_id}/start",
    status_code=202,
    responses=problems.responses(
        ProblemCode.JOB_NOT_STARTABLE,
        ProblemCode.UPLOAD_MISSING,
        ProblemCode.UPLOAD_EMPTY,
        ProblemCode.UPLOAD_TOO_LARGE,
        *_ONE_JOB,
    ),
)
async def start_job(job_id: _JobId, parts: _Parts, base: _Base) -> api.JobView:
    """Says that the file is there. Any number of times: the job starts once.

    Storage says so too, so that a client may leave this out; saying it saves waiting for storage.
    """
    job = await asyncio.to_thread(requests.job, parts, job_id)
    try:
        job = await uploads.start(parts, durable.client(), job)
    except errors.DurableUnavailableError:
        # The job is queued: the sweep starts what Durable could not take now.
        log.warning("run_start_put_off", job_id=job_id, exc_info=True)
        job = await asyncio.to_thread(requests.job, parts, job_id)
    return views.of_job(job, base)


@router.get(
    "/{job_id}/results",
    responses=problems.responses(ProblemCode.JOB_NOT_FINISHED, ProblemCode.NO_RESULTS, *_ONE_JOB),
)
def get_results(job_id: _JobId, parts: _Parts) -> api.JobResults:
    """Everything that the job made, in one answer; of one that failed its errors, and what was made."""
    return job_results.of_job(parts, requests.job(parts, job_id))


_CANCELLING = problems.responses(ProblemCode.JOB_ALREADY_FINISHED, *_ONE_JOB)


@router.post("/{job_id}/cancel", responses=_CANCELLING)
def cancel_job(job_id: _JobId, parts: _Parts, base: _Base) -> api.JobView:
    """Cancels the job: nothing more is begun, and what is being worked on stops soon. Any number of times."""
    return views.of_job(cancellations.cancel(parts, requests.job(parts, job_id)), base)


@router.delete("/{job_id}", responses=_CANCELLING)
def delete_job(job_id: _JobId, parts: _Parts, base: _Base) -> api.JobView:
    """The same as POST cancel: the job stays, `cancelled`."""
    return cancel_job(job_id, parts, base)
