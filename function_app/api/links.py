"""Absolute URLs of a job."""

from fastapi import Request

from contracts import api
from function_app import settings


def base_url(request: Request, read: settings.Settings) -> str:
    """Where this API is for the caller, without a slash at the end."""
    return read.public_base_url or f"{request.url.scheme}://{request.url.netloc}"


def of_job(base: str, job_id: str) -> api.JobLinks:
    """Where to go next."""
    job = f"{base}/jobs/{job_id}"
    return api.JobLinks(self=job, start=f"{job}/start", results=f"{job}/results", cancel=f"{job}/cancel")
