"""Every route as it should go, in one process over the twins."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.durable_functions import OrchestrationRuntimeStatus

from contracts import api as contract_api
from contracts import blobs, jobs, results, steps
from contracts import errors as contract_errors
from function_app.store import job_store
from tests.unit.function_app import api_fixtures

RESULTS = blobs.Container.RESULTS
NOT_AUDIO = results.RunError(
    step=steps.Step.PREPARE, code=contract_errors.ErrorCode.NOT_AUDIO, message="This is not audio."
)


# Creating a job


def test_created_job_says_where_its_file_goes_and_where_to_look(api: api_fixtures.Api) -> None:
    answer = api.http.post("/jobs", json={"file_name": "Besprechung 你好.mp3", "source_language": "EN-us"})
    assert answer.status_code == 201
    created = contract_api.JobCreated.model_validate_json(answer.content)
    assert created.status is jobs.JobStatus.PENDING_UPLOAD
    assert f"audio-files/default/{created.job_id}/source" in created.upload_url
    assert created.upload_headers == {"x-ms-blob-type": "BlockBlob"}
    assert timedelta(minutes=58) < created.upload_expires_at - datetime.now(UTC) <= timedelta(minutes=60)
    assert created.links.self == f"http://speech.test/jobs/{created.job_id}" == answer.headers["location"]
    job = api.store.get(tenant_id="default", job_id=created.job_id)
    assert (job.source_language, job.target_language, job.file_name) == (
        "en-US",
        "en",
        "Besprechung 你好.mp3",
    )


@pytest.mark.parametrize("file_name", ["../../etc/passwd", "a/b\\c:d?.mp3", "%2e%2e%2f", "CON", "💥.mp3"])
def test_file_name_is_kept_and_never_part_of_a_path(api: api_fixtures.Api, file_name: str) -> None:
    created = api.create(file_name=file_name)
    assert re.fullmatch(r"memory://audio-files/default/[0-9a-f]{32}/source\?may=cw", created["upload_url"])
    assert api.http.get(f"/jobs/{created['job_id']}").json()["file_name"] == file_name


def test_metadata_comes_back_with_the_job(api: api_fixtures.Api) -> None:
    job_id = api.create(metadata={"customer": "4711", "ä": "ö"})["job_id"]
    assert api.http.get(f"/jobs/{job_id}").json()["metadata"] == {"customer": "4711", "ä": "ö"}


def test_links_begin_with_the_public_address_where_one_is_set() -> None:
    with api_fixtures.running_api(public_base_url="https://speech.example.com/flow/") as api:
        job_id = api.create()["job_id"]
        found = api.http.get(f"/jobs/{job_id}").json()["links"]
        assert found["self"] == f"https://speech.example.com/flow/jobs/{job_id}"


# Starting it


def test_started_job_pins_the_upload_and_starts_its_run_once(api: api_fixtures.Api) -> None:
    job_id = api.create()["job_id"]
    api.upload(job_id)
    first = api.http.post(f"/jobs/{job_id}/start")
    assert (first.status_code, first.json()["status"]) == (202, "queued")
    api.upload(job_id, b"another file, too late")
    for _ in range(3):
        assert api.http.post(f"/jobs/{job_id}/start").json() == first.json()
    source = api.store.get(tenant_id="default", job_id=job_id).source
    assert source is not None
    assert (source.etag, source.size_bytes) == ('"1"', 4)
    assert list(api.durable.inputs) == [api_fixtures.instance_id(job_id)]


def test_start_makes_good_what_a_killed_call_left_undone(api: api_fixtures.Api) -> None:
    job_id = api.create()["job_id"]
    api.upload(job_id)
    reference = blobs.BlobReference(container=blobs.Container.AUDIO_FILES, path="x", etag='"1"')
    assert api.store.queue(job_id=job_id, source=reference)
    assert api.http.post(f"/jobs/{job_id}/start").status_code == 202
    assert api_fixtures.instance_id(job_id) in api.durable.inputs


def test_start_is_accepted_while_durable_is_away_because_the_sweep_comes(api: api_fixtures.Api) -> None:
    job_id = api.create()["job_id"]
    api.upload(job_id)
    api.durable.away = True
    answer = api.http.post(f"/jobs/{job_id}/start")
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [(None, 409, "upload_missing"), (b"", 409, "upload_empty"), (b"12345", 413, "upload_too_large")],
)
def test_upload_that_cannot_be_taken_leaves_the_job_waiting(
    data: bytes | None, status: int, code: str
) -> None:
    with api_fixtures.running_api(largest_source_bytes=4) as api:
        job_id = api.create()["job_id"]
        if data is not None:
            api.upload(job_id, data)
        answer = api.http.post(f"/jobs/{job_id}/start")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        api.upload(job_id, b"good")
        assert api.http.post(f"/jobs/{job_id}/start").status_code == 202


def test_cancelled_job_does_not_start(api: api_fixtures.Api) -> None:
    job_id = api.create()["job_id"]
    api.upload(job_id)
    api.http.post(f"/jobs/{job_id}/cancel")
    answer = api.http.post(f"/jobs/{job_id}/start")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_not_startable")
    assert answer.json()["job_status"] == "cancelled"
    assert not api.durable.inputs


# Looking at it


def test_job_shows_its_steps_with_progress_in_audio_seconds(api: api_fixtures.Api) -> None:
    job_id = api.started()
    api.store.begin_step(
        job_id=job_id, run=1, step=steps.Step.TRANSCRIBE, attempt=1, audio_seconds_total=600, chunks_total=2
    )
    outcome = job_store.ChunkOutcome(
        chunk=0, attempt=1, status=steps.StepStatus.COMPLETED, audio_seconds=300.0
    )
    api.store.record_chunk(job_id=job_id, run=1, step=steps.Step.TRANSCRIBE, outcome=outcome)
    view = contract_api.JobView.model_validate_json(api.http.get(f"/jobs/{job_id}").content)
    transcribe = next(one for one in view.steps if one.step is steps.Step.TRANSCRIBE)
    assert (transcribe.audio_seconds_done, transcribe.audio_seconds_total) == (300.0, 600.0)
    assert (transcribe.chunks_done, transcribe.chunks_total, transcribe.attempt) == (1, 2, 1)
    assert view.status is jobs.JobStatus.PROCESSING


# Lists


def test_list_is_newest_first_and_pages_with_its_cursor(api: api_fixtures.Api) -> None:
    made = [api.create()["job_id"] for _ in range(5)]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = api.http.get("/jobs", params=query).json()
        seen += [job["job_id"] for job in page["jobs"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert sorted(seen) == sorted(made)
    assert len(seen) == 5


def test_list_is_narrowed_by_its_filters(api: api_fixtures.Api) -> None:
    spanish = api.create(workflow="transcribe_only", source_language="es")["job_id"]
    cancelled = api.create()["job_id"]
    api.http.post(f"/jobs/{cancelled}/cancel")

    def listed(**query: str) -> list[str]:
        return [job["job_id"] for job in api.http.get("/jobs", params=query).json()["jobs"]]

    assert listed(status="cancelled") == [cancelled]
    assert listed(workflow="transcribe_only") == [spanish]
    assert listed(language="spa") == [spanish]
    assert sorted(listed(created_from="2020-01-01T00:00:00Z")) == sorted([spanish, cancelled])
    assert listed(created_before="2020-01-01T00:00:00Z") == []


def test_recordings_in_which_nobody_spoke_can_be_listed(api: api_fixtures.Api) -> None:
    api.create(source_language="es")
    silent = api.started()
    api.store.record_language(job_id=silent, run=1, language="und", confidence=None, duration_seconds=3.0)
    found = api.http.get("/jobs", params={"language": "und"}).json()["jobs"]
    assert [job["job_id"] for job in found] == [silent]


# Cancelling


@pytest.mark.parametrize(("method", "suffix"), [("POST", "/cancel"), ("DELETE", "")])
def test_cancelled_job_leaves_a_marker_for_the_workers(
    api: api_fixtures.Api, method: str, suffix: str
) -> None:
    job_id = api.started()
    first = api.http.request(method, f"/jobs/{job_id}{suffix}")
    assert (first.status_code, first.json()["status"]) == (200, "cancelled")
    marker = blobs.cancel_marker_path(tenant_id="default", job_id=job_id, run=1)
    assert api.blobs.facts(blobs.Container.WORK, marker) is not None
    assert api.http.request(method, f"/jobs/{job_id}{suffix}").json() == first.json()


def test_cancel_writes_the_marker_that_a_killed_call_did_not(api: api_fixtures.Api) -> None:
    job_id = api.started()
    api.store.cancel(tenant_id="default", job_id=job_id)
    assert api.http.post(f"/jobs/{job_id}/cancel").status_code == 200
    marker = blobs.cancel_marker_path(tenant_id="default", job_id=job_id, run=1)
    assert api.blobs.facts(blobs.Container.WORK, marker) is not None


def test_finished_job_cannot_be_cancelled(api: api_fixtures.Api) -> None:
    job_id = api.started()
    api.store.end_run(job_id=job_id, run=1, end=job_store.RunEnd(status=jobs.JobStatus.COMPLETED))
    answer = api.http.post(f"/jobs/{job_id}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_already_finished")
    assert (answer.json()["job_status"], answer.json()["job_id"]) == ("completed", job_id)


# Results


def _transcript() -> results.Transcript:
    segment = results.TranscriptSegment(id=0, start=0, end=1, text="hola", confidence=0.9, language="es")
    return results.Transcript(
        language="es",
        language_confidence=0.97,
        duration_seconds=1.0,
        text="hola",
        segments=(segment,),
        coverage=results.Coverage(speech_seconds=1, transcribed_seconds=1, gap_seconds=0),
        engine="whisper",
        model="tiny",
        revision="1",
    )


def _translation() -> results.Translation:
    segment = results.TranslatedSegment(id=0, start=0, end=1, text="hello")
    return results.Translation(
        source_language="es", language="en", text="hello", segments=(segment,), engine="openai", model="m"
    )


def _write(api: api_fixtures.Api, path: str, value: Any) -> None:
    api.blobs.create(RESULTS, path, value.model_dump_json().encode(), content_type="application/json")


def _finished(api: api_fixtures.Api, *, with_transcript: bool = True) -> str:
    """A job with a manifest, a transcript and a translation."""
    job_id = api.started()
    transcript_path = blobs.run_file_path(tenant_id="default", job_id=job_id, run=1, name="transcript.json")
    if with_transcript:
        _write(api, transcript_path, _transcript())
    translated = blobs.step_result_path(
        tenant_id="default", job_id=job_id, step=steps.Step.TRANSLATE, key="k1"
    )
    _write(api, translated, _translation())
    manifest = results.RunManifest(
        job_id=job_id,
        run=1,
        workflow=jobs.Workflow.FULL_PIPELINE,
        status=jobs.JobStatus.PARTIAL_COMPLETE,
        keys={steps.Step.TRANSLATE: ("k1",)},
        files={"transcript.json": transcript_path},
        errors=(NOT_AUDIO,),
        warnings=("quiet",),
    )
    _write(api, blobs.run_manifest_path(tenant_id="default", job_id=job_id, run=1), manifest)
    end = job_store.RunEnd(
        status=jobs.JobStatus.PARTIAL_COMPLETE, language="es", language_confidence=0.97, duration_seconds=1.0
    )
    assert api.store.end_run(job_id=job_id, run=1, end=end)
    return job_id


def test_results_bring_everything_in_one_answer(api: api_fixtures.Api) -> None:
    job_id = _finished(api)
    answer = api.http.get(f"/jobs/{job_id}/results")
    assert answer.status_code == 200
    found = contract_api.JobResults.model_validate_json(answer.content)
    assert found.transcript == _transcript()
    assert found.translation == _translation()
    assert found.summary is None
    assert (found.language, found.language_confidence, found.duration_seconds) == ("es", 0.97, 1.0)
    assert found.files["transcript.json"].endswith("seconds=3600&as=transcript.json")
    assert [one.code for one in found.errors] == ["not_audio"]
    assert found.warnings == ("quiet",)
    assert len(found.steps) == 5


def test_result_that_was_removed_is_a_warning(api: api_fixtures.Api) -> None:
    found = api.http.get(f"/jobs/{_finished(api, with_transcript=False)}/results").json()
    assert found["transcript"] is None
    assert found["warnings"] == ["quiet", "transcript.json is no longer there."]


@pytest.mark.parametrize("begun", [False, True])
def test_results_of_a_job_that_is_not_over_are_409_with_its_status(
    api: api_fixtures.Api, *, begun: bool
) -> None:
    job_id = api.started() if begun else api.create()["job_id"]
    answer = api.http.get(f"/jobs/{job_id}/results")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_not_finished")
    assert answer.json()["job_status"] == ("processing" if begun else "pending_upload")


def test_failed_job_answers_with_its_errors_once_each(api: api_fixtures.Api) -> None:
    job_id = api.started()
    end = job_store.StepEnd(
        step=steps.Step.PREPARE, attempt=1, status=steps.StepStatus.FAILED, error=NOT_AUDIO
    )
    api.store.end_step(job_id=job_id, run=1, end=end)
    api.store.end_run(
        job_id=job_id, run=1, end=job_store.RunEnd(status=jobs.JobStatus.FAILED, error=NOT_AUDIO)
    )
    found = api.http.get(f"/jobs/{job_id}/results").json()
    assert found["status"] == "failed"
    assert found["errors"] == [{"code": "not_audio", "message": "This is not audio.", "step": "prepare"}]
    assert found["transcript"] is None


@pytest.mark.parametrize("ending", ["expired", "completed"])
def test_job_that_has_nothing_to_show_says_so(api: api_fixtures.Api, ending: str) -> None:
    if ending == "expired":
        job_id = api.create()["job_id"]
        api.store.expire(job_id=job_id, error=NOT_AUDIO)
    else:
        job_id = api.started()
        api.store.end_run(job_id=job_id, run=1, end=job_store.RunEnd(status=jobs.JobStatus.COMPLETED))
    answer = api.http.get(f"/jobs/{job_id}/results")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_results")
    assert answer.json()["job_status"] == ending


# Operations


def test_health_asks_nobody_and_ready_asks_everybody(api: api_fixtures.Api) -> None:
    assert api.http.get("/ready").json() == {
        "status": "ok",
        "checks": {"store": "ok", "blobs": "ok", "queues": "ok"},
    }
    api.store.away = api.blobs.away = api.sender.away = True
    assert api.http.get("/health").json()["status"] == "ok"
    answer = api.http.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {
        "store": "store_unavailable",
        "blobs": "storage_unavailable",
        "queues": "queue_unavailable",
    }


def test_landing_links_to_pages_that_are_there(api: api_fixtures.Api) -> None:
    links = api.http.get("/").json()["links"]
    for url in links.values():
        assert api.http.get(url).status_code == 200, url


def test_docs_need_nothing_from_elsewhere_and_name_every_route(api: api_fixtures.Api) -> None:
    page = api.http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text
    assert not re.findall(r"(?:src|href)=\"(?!#|openapi\.json)", page.text)
    for path in api.http.get("/openapi.json").json()["paths"]:
        assert path in page.text


def test_openapi_describes_the_contracts(api: api_fixtures.Api) -> None:
    described = api.http.get("/openapi.json").json()
    assert described["openapi"].startswith("3.")
    assert {"JobSubmission", "JobCreated", "JobView", "JobResults", "Problem"} <= set(
        described["components"]["schemas"]
    )
    assert "201" in described["paths"]["/jobs"]["post"]["responses"]


def test_running_instance_is_not_started_again(api: api_fixtures.Api) -> None:
    job_id = api.create()["job_id"]
    api.upload(job_id)
    api.durable.states[api_fixtures.instance_id(job_id)] = OrchestrationRuntimeStatus.Running
    assert api.http.post(f"/jobs/{job_id}/start").status_code == 202
    assert not api.durable.inputs


def test_run_is_told_what_the_job_wants(api: api_fixtures.Api) -> None:
    job_id = api.started(source_language="es", target_language="de")
    told = json.loads(json.dumps(api.durable.inputs[api_fixtures.instance_id(job_id)]))
    assert (told["job_id"], told["source_language"], told["target_language"]) == (job_id, "es", "de")
    assert told["source"]["etag"] == '"1"'
