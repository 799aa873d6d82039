"""The sweep, and uploads that storage announces: what a killed process left undone is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.durable_functions import OrchestrationRuntimeStatus

from contracts import blobs, jobs
from contracts.errors import ErrorCode
from function_app import errors, sweeps, uploads
from function_app.store import job_store
from tests.unit.function_app import api_fixtures

SOURCE = blobs.BlobReference(container=blobs.Container.AUDIO_FILES, path="x", etag='"1"')


@pytest.fixture
def api() -> Iterator[api_fixtures.Api]:
    # Small pages, so that a sweep needs several.
    with api_fixtures.running_api(sweep_batch_jobs=2) as running:
        yield running


@pytest.fixture
def age(api: api_fixtures.Api) -> Callable[[timedelta], None]:
    """What is written from now on was written that long ago."""

    def shift(by: timedelta) -> None:
        api.store._clock = lambda: datetime.now(UTC) - by

    return shift


def status(api: api_fixtures.Api, job_id: str) -> jobs.JobStatus:
    return api.store.get(tenant_id="default", job_id=job_id).status


async def test_queued_jobs_without_instance_are_started(
    api: api_fixtures.Api, age: Callable[[timedelta], None]
) -> None:
    age(timedelta(minutes=1))
    old = [str(api.create()["job_id"]) for _ in range(5)]
    for job_id in old:
        api.store.queue(job_id=job_id, source=SOURCE)
    age(timedelta(0))
    young = api.create()["job_id"]
    api.store.queue(job_id=young, source=SOURCE)
    await sweeps.sweep(api.parts, api.durable)
    await sweeps.sweep(api.parts, api.durable)
    assert sorted(api.durable.inputs) == sorted(f"{job_id}.1" for job_id in old)


async def test_upload_that_never_came_expires_its_job(
    api: api_fixtures.Api, age: Callable[[timedelta], None]
) -> None:
    age(timedelta(hours=25))
    old = api.create()["job_id"]
    age(timedelta(hours=23))
    young = api.create()["job_id"]
    age(timedelta(0))
    await sweeps.sweep(api.parts, api.durable)
    assert status(api, old) is jobs.JobStatus.EXPIRED
    assert status(api, young) is jobs.JobStatus.PENDING_UPLOAD


@pytest.mark.parametrize(
    ("data", "code", "sentence"),
    [
        (None, ErrorCode.SOURCE_MISSING, "No file was uploaded within 24 hours. Submit the recording again."),
        (b"", ErrorCode.EMPTY_FILE, "The uploaded file was empty. Submit the recording again."),
        (
            b"RIFF" * 100,
            ErrorCode.TOO_LARGE,
            "The file has 400 bytes; at most 100 are taken. Submit the recording again.",
        ),
    ],
    ids=["nothing came", "empty", "too large"],
)
async def test_expired_job_says_what_was_wrong_with_its_upload(
    data: bytes | None, code: ErrorCode, sentence: str
) -> None:
    with api_fixtures.running_api(largest_source_bytes=100) as api:
        api.store._clock = lambda: datetime.now(UTC) - timedelta(hours=25)
        job_id = str(api.create()["job_id"])
        if data is not None:
            api.upload(job_id, data)
        await sweeps.sweep(api.parts, api.durable)
        shown = api.http.get(f"/jobs/{job_id}").json()
    assert (shown["status"], shown["error"]["code"], shown["error"]["message"]) == (
        "expired",
        code,
        sentence,
    )


async def test_upload_that_nobody_announced_starts_instead_of_expiring(
    api: api_fixtures.Api, age: Callable[[timedelta], None]
) -> None:
    age(timedelta(hours=25))
    job_id = api.create()["job_id"]
    api.upload(job_id)
    await sweeps.sweep(api.parts, api.durable)
    assert status(api, job_id) is jobs.JobStatus.QUEUED
    assert api_fixtures.instance_id(job_id) in api.durable.inputs


async def test_upload_that_comes_after_its_job_has_expired_changes_nothing(
    api: api_fixtures.Api, age: Callable[[timedelta], None]
) -> None:
    age(timedelta(hours=25))
    job_id = str(api.create()["job_id"])
    age(timedelta(0))
    await sweeps.sweep(api.parts, api.durable)
    api.upload(job_id)
    await uploads.arrived(api.parts, api.durable, f"audio-files/default/{job_id}/source")
    await sweeps.sweep(api.parts, api.durable)
    assert status(api, job_id) is jobs.JobStatus.EXPIRED
    assert api.durable.inputs == {}
    answer = api.http.post(f"/jobs/{job_id}/start")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_not_startable")
    assert answer.json()["job_status"] == "expired"
    answer = api.http.get(f"/jobs/{job_id}/results")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_results")
    shown = api.http.get(f"/jobs/{job_id}").json()
    assert shown["finished_at"]
    assert {step["status"] for step in shown["steps"]} == {"cancelled"}


async def test_text_whose_run_was_never_begun_is_started(
    api: api_fixtures.Api, age: Callable[[timedelta], None]
) -> None:
    age(timedelta(minutes=1))
    api.durable.away = True
    body = {"workflow": "summarize_only", "source_language": "en", "transcript": "Hello."}
    job_id = api.http.post("/jobs", json=body).json()["job_id"]
    api.durable.away = False
    age(timedelta(0))
    await sweeps.sweep(api.parts, api.durable)
    assert api_fixtures.instance_id(job_id) in api.durable.inputs


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (None, jobs.JobStatus.FAILED),
        (OrchestrationRuntimeStatus.Failed, jobs.JobStatus.FAILED),
        (OrchestrationRuntimeStatus.Terminated, jobs.JobStatus.FAILED),
        (OrchestrationRuntimeStatus.Completed, jobs.JobStatus.FAILED),
        (OrchestrationRuntimeStatus.Running, jobs.JobStatus.PROCESSING),
        (OrchestrationRuntimeStatus.Pending, jobs.JobStatus.PROCESSING),
    ],
)
async def test_run_whose_instance_is_gone_is_lost(
    api: api_fixtures.Api, age: Callable[[timedelta], None], state: Any, expected: jobs.JobStatus
) -> None:
    age(timedelta(minutes=6))
    job_id = api.started()
    api.durable.states[api_fixtures.instance_id(job_id)] = state
    chunk = f"default/{job_id}/plan/chunk-00000.flac"
    api.blobs.create(blobs.Container.WORK, chunk, b"x", content_type="audio/flac")
    await sweeps.sweep(api.parts, api.durable)
    job = api.store.get(tenant_id="default", job_id=job_id)
    assert job.status is expected
    lost = expected is jobs.JobStatus.FAILED
    assert (job.error is not None and job.error.code is ErrorCode.RUN_LOST) is lost
    assert (api.blobs.facts(blobs.Container.WORK, chunk) is None) is lost


async def test_run_with_news_is_not_looked_up(api: api_fixtures.Api) -> None:
    job_id = api.started()
    api.durable.states.clear()
    await sweeps.sweep(api.parts, api.durable)
    assert status(api, job_id) is jobs.JobStatus.PROCESSING


async def test_queued_job_whose_instance_ended_without_a_word_is_lost(
    api: api_fixtures.Api, age: Callable[[timedelta], None]
) -> None:
    age(timedelta(minutes=6))
    job_id = api.create()["job_id"]
    api.store.queue(job_id=job_id, source=SOURCE)
    api.durable.states[api_fixtures.instance_id(job_id)] = OrchestrationRuntimeStatus.Failed
    await sweeps.sweep(api.parts, api.durable)
    assert status(api, job_id) is jobs.JobStatus.FAILED


@pytest.mark.parametrize("error", [errors.BlobsUnavailableError(), RuntimeError("a mistake of ours")])
async def test_one_job_that_cannot_be_tidied_keeps_no_other_waiting(
    api: api_fixtures.Api,
    age: Callable[[timedelta], None],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    age(timedelta(hours=25))
    waiting = [str(api.create()["job_id"]) for _ in range(3)]
    real = api.blobs.facts

    def broken_for_the_first(container: blobs.Container, path: str) -> Any:
        if waiting[0] in path:
            raise error
        return real(container, path)

    monkeypatch.setattr(api.blobs, "facts", broken_for_the_first)
    await sweeps.sweep(api.parts, api.durable)
    assert [status(api, job_id) for job_id in waiting[1:]] == [jobs.JobStatus.EXPIRED] * 2
    assert status(api, waiting[0]) is jobs.JobStatus.PENDING_UPLOAD


async def test_work_is_removed_when_it_is_old(api: api_fixtures.Api) -> None:
    api.blobs.create(blobs.Container.WORK, "default/j/chunk.flac", b"x", content_type="audio/flac")
    await sweeps.remove_old_work(api.parts)
    assert list(api.blobs.paths(blobs.Container.WORK, "")) == ["default/j/chunk.flac"]
    written_at = datetime.now(UTC) - timedelta(hours=49)
    api.blobs._blobs = {
        key: replace(stored, written_at=written_at) for key, stored in api.blobs._blobs.items()
    }
    await sweeps.remove_old_work(api.parts)
    assert list(api.blobs.paths(blobs.Container.WORK, "")) == []


# Uploads that storage announces


async def test_arrived_upload_does_what_post_start_does(api: api_fixtures.Api) -> None:
    job_id = api.create()["job_id"]
    api.upload(job_id)
    for _ in range(2):
        await uploads.arrived(api.parts, api.durable, f"audio-files/default/{job_id}/source")
    assert api.http.post(f"/jobs/{job_id}/start").json()["status"] == "queued"
    assert list(api.durable.inputs) == [api_fixtures.instance_id(job_id)]


async def test_arrived_upload_that_cannot_be_taken_is_let_be(api: api_fixtures.Api) -> None:
    empty, cancelled = api.create()["job_id"], api.create()["job_id"]
    api.upload(empty, b"")
    api.upload(cancelled)
    api.http.post(f"/jobs/{cancelled}/cancel")
    names = [f"default/{empty}/source", f"default/{cancelled}/source", "default/nobody/source"]
    for name in [*names, f"other-tenant/{empty}/source"]:
        await uploads.arrived(api.parts, api.durable, f"audio-files/{name}")
    assert not api.durable.inputs
    assert status(api, empty) is jobs.JobStatus.PENDING_UPLOAD


async def test_arrived_upload_comes_again_while_durable_is_away(api: api_fixtures.Api) -> None:
    job_id = api.create()["job_id"]
    api.upload(job_id)
    api.durable.away = True
    with pytest.raises(errors.DurableUnavailableError):
        await uploads.arrived(api.parts, api.durable, f"audio-files/default/{job_id}/source")
    api.durable.away = False
    await uploads.arrived(api.parts, api.durable, f"audio-files/default/{job_id}/source")
    assert list(api.durable.inputs) == [api_fixtures.instance_id(job_id)]


async def test_job_that_ended_is_let_be(api: api_fixtures.Api) -> None:
    job_id = api.started()
    api.store.end_run(job_id=job_id, run=1, end=job_store.RunEnd(status=jobs.JobStatus.COMPLETED))
    await uploads.arrived(api.parts, api.durable, f"audio-files/default/{job_id}/source")
    assert len(api.durable.inputs) == 1
