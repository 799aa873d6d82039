"""Answers of a scripted server, and a client that talks to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import httpx

import client
from contracts import api, contract, errors, jobs, results, steps

URL = "http://speech.example"
MOMENT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LINKS = api.JobLinks(self="", start="", results="", cancel="")

Handler = Callable[[httpx.Request], httpx.Response]


def speech_flow(handler: Handler, *, slept: list[float] | None = None) -> client.SpeechFlow:
    """A client of `handler`, whose waits take no time and are noted in `slept`."""
    pauses = slept if slept is not None else []
    return client.SpeechFlow(URL, transport=httpx.MockTransport(handler), sleep=pauses.append)


def view(
    status: jobs.JobStatus = jobs.JobStatus.COMPLETED,
    *,
    job_id: str = "job-1",
    error: api.ErrorView | None = None,
    shown_steps: tuple[api.StepView, ...] = (),
) -> api.JobView:
    return api.JobView(
        job_id=job_id,
        run=1,
        workflow=jobs.Workflow.FULL_PIPELINE,
        status=status,
        priority=jobs.Priority.NORMAL,
        file_name="talk.wav",
        source_language=None,
        target_language="en",
        language="en",
        duration_seconds=8.0,
        metadata={},
        created_at=MOMENT,
        updated_at=MOMENT,
        started_at=MOMENT,
        finished_at=None,
        error=error,
        steps=shown_steps,
        links=LINKS,
    )


def step(
    kind: steps.Step = steps.Step.TRANSCRIBE,
    status: steps.StepStatus = steps.StepStatus.PROCESSING,
    *,
    done: float | None = None,
    total: float | None = None,
    skipped_because: str | None = None,
) -> api.StepView:
    return api.StepView(
        step=kind,
        status=status,
        attempt=1,
        audio_seconds_done=done,
        audio_seconds_total=total,
        skipped_because=skipped_because,
    )


def created(upload_url: str = f"{URL}/blob?sig=x") -> api.JobCreated:
    return api.JobCreated(
        job_id="job-1",
        status=jobs.JobStatus.PENDING_UPLOAD,
        upload_url=upload_url,
        upload_headers={"x-ms-blob-type": "BlockBlob", "Content-Type": "audio/wav"},
        upload_expires_at=MOMENT,
        links=LINKS,
    )


def job_results(files: dict[str, str] | None = None) -> api.JobResults:
    words = (results.Word(start=0.0, end=0.5, text="Hello", confidence=0.9),)
    segment = results.TranscriptSegment(
        id=0, start=0.0, end=0.5, text="Hello", confidence=0.9, language="en", words=words
    )
    transcript = results.Transcript(
        language="en",
        duration_seconds=8.0,
        text="Hello",
        segments=(segment,),
        coverage=results.Coverage(speech_seconds=0.5, transcribed_seconds=0.5, gap_seconds=0.0),
        engine="whisper",
        model="m",
        revision="r",
    )
    return api.JobResults(
        job_id="job-1",
        run=1,
        status=jobs.JobStatus.COMPLETED,
        workflow=jobs.Workflow.FULL_PIPELINE,
        language="en",
        language_confidence=0.9,
        duration_seconds=8.0,
        transcript=transcript,
        translation=None,
        summary=None,
        files=files or {},
        steps=(),
        errors=(),
        warnings=(),
    )


def problem(status: int, code: errors.ProblemCode, detail: str = "It cannot be.") -> httpx.Response:
    body = api.Problem(type="about:blank", title="Refused", status=status, detail=detail, code=code)
    return httpx.Response(
        status,
        content=body.model_dump_json(),
        headers={"content-type": "application/problem+json"},
    )


def ok(model: contract.Contract, status: int = 200) -> httpx.Response:
    return httpx.Response(status, content=model.model_dump_json())
