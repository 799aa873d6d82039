"""Speech Flow's jobs, as a Python program uses them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib import parse

import httpx
import pydantic

from client import connection, downloads, errors, retries, texts, uploads
from contracts import api, jobs

OnView = Callable[[api.JobView], None]


def ignore(view: api.JobView) -> None:
    """For callers who want no views."""


class SpeechFlow:
    """One server. Every method raises errors.SpeechFlowError and nothing else; none waits without a limit."""

    def __init__(
        self,
        url: str,
        *,
        policy: retries.RetryPolicy | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._server = connection.Connection(url, policy=policy, transport=transport, sleep=sleep)
        self._sleep = sleep

    @property
    def url(self) -> str:
        return self._server.base_url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._server.close()

    def submit(
        self,
        path: Path,
        *,
        workflow: jobs.Workflow = jobs.Workflow.FULL_PIPELINE,
        source_language: str | None = None,
        target_language: str = "en",
        priority: jobs.Priority = jobs.Priority.NORMAL,
        metadata: Mapping[str, str] | None = None,
        on_bytes: uploads.OnBytes = uploads.ignore,
    ) -> api.JobView:
        """Make a job for the file, upload it and start it; the job as it stands then."""
        with _valid():
            submission = api.JobSubmission(
                workflow=workflow,
                file_name=path.name,
                source_language=source_language,
                target_language=target_language,
                size_bytes=uploads.size_bytes(path),
                priority=priority,
                metadata=dict(metadata or {}),
            )
        created = self.create(submission)
        uploads.upload(self._server, path, created, on_bytes=on_bytes)
        self.start(created.job_id)
        return self.get(created.job_id)

    def submit_text(
        self,
        *,
        workflow: jobs.Workflow,
        source_job_id: str | None = None,
        transcript: texts.Transcript | None = None,
        source_language: str | None = None,
        target_language: str = "en",
        priority: jobs.Priority = jobs.Priority.NORMAL,
        metadata: Mapping[str, str] | None = None,
        file_name: str | None = None,
    ) -> api.JobView:
        """Make a job of another job's transcript, or of one that is at hand; it begins by itself."""
        with _valid():
            submission = api.JobSubmission(
                workflow=workflow,
                file_name=file_name,
                source_language=source_language,
                target_language=target_language,
                priority=priority,
                metadata=dict(metadata or {}),
                source_job_id=source_job_id,
                transcript=transcript,
            )
        queued = self._server.ask(api.JobQueued, "POST", "/jobs", body=submission)
        return self.get(queued.job_id)

    def create(self, submission: api.JobSubmission) -> api.JobCreated:
        """A job that waits for its file."""
        return self._server.ask(api.JobCreated, "POST", "/jobs", body=submission)

    def start(self, job_id: str) -> None:
        """Say that the file is there; harmless when the job has started already."""
        self._server.tell("POST", f"{_path(job_id)}/start", job_id=job_id)

    def get(self, job_id: str) -> api.JobView:
        return self._server.ask(api.JobView, "GET", _path(job_id), job_id=job_id)

    def results(self, job_id: str) -> api.JobResults:
        """Everything that the job left. Raises ConflictError or NotFoundError while there is nothing."""
        return self._server.ask(api.JobResults, "GET", f"{_path(job_id)}/results", job_id=job_id)

    def cancel(self, job_id: str) -> api.JobView:
        """Ask for the job's end; work in progress stops at its next check."""
        self._server.tell("POST", f"{_path(job_id)}/cancel", job_id=job_id)
        return self.get(job_id)

    def page(
        self,
        *,
        status: jobs.JobStatus | None = None,
        workflow: jobs.Workflow | None = None,
        language: str | None = None,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> api.JobList:
        """Jobs, newest first; `next_cursor` leads to the following page."""
        query: dict[str, str | int | None] = {
            "status": status,
            "workflow": workflow,
            "language": language,
            "created_from": created_from.isoformat() if created_from else None,
            "created_before": created_before.isoformat() if created_before else None,
            "limit": limit,
            "cursor": cursor,
        }
        asked = {name: value for name, value in query.items() if value is not None}
        return self._server.ask(api.JobList, "GET", "/jobs", query=asked)

    def wait(
        self,
        job_id: str,
        *,
        timeout_seconds: float = 24 * 3600.0,
        outage_seconds: float = 120.0,
        poll_seconds: float = 0.5,
        on_view: OnView = ignore,
    ) -> api.JobView:
        """The job once it has ended, however it ended.

        `on_view` sees every view on the way. A server that is away is waited for up to `outage_seconds`, but
        no longer than for the job.
        Raises WaitTimedOutError.
        """
        deadline = time.monotonic() + timeout_seconds
        for view in self._views(job_id, outage_seconds=min(outage_seconds, timeout_seconds)):
            on_view(view)
            if view.status in jobs.TERMINAL:
                return view
            if time.monotonic() >= deadline:
                break
            self._sleep(poll_seconds)
        raise errors.WaitTimedOutError(
            f"Job {job_id} has not ended after {timeout_seconds:.0f} s; "
            f"it goes on: speechflow watch {job_id}",
            job_id=job_id,
        )

    def save(self, results: api.JobResults, directory: Path) -> list[Path]:
        """The job's files, in `directory`, which is made when it is missing."""
        return downloads.save(self._server, results, directory)

    def _views(self, job_id: str, *, outage_seconds: float) -> Iterator[api.JobView]:
        last_answer = time.monotonic()
        while True:
            try:
                view = self.get(job_id)
            except (errors.ServerUnreachableError, errors.ServerBusyError):
                if time.monotonic() - last_answer > outage_seconds:
                    raise
                self._sleep(1.0)
                continue
            last_answer = time.monotonic()
            yield view


def _path(job_id: str) -> str:
    # An id is one segment of the path, whatever was typed.
    return f"/jobs/{parse.quote(job_id, safe='')}"


@contextlib.contextmanager
def _valid() -> Iterator[None]:
    """Raises InvalidValueError where the body makes something that the contract does not allow."""
    try:
        yield
    except pydantic.ValidationError as error:
        wrong = "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors())
        raise errors.InvalidValueError(wrong) from error
