"""Jobs that begin with a transcript: what is taken, how it is kept, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from contracts import api as contract_api
from contracts import blobs, jobs, results
from function_app import runs
from function_app.store import job_store
from tests.unit.function_app import api_fixtures

TEXT = {"workflow": "summarize_only", "source_language": "es", "transcript": "Hola.\nHasta luego."}
LINES = [
    {"start": 0.5, "end": 2.0, "text": " Hola. "},
    {"start": 2.0, "end": 2.5, "text": "  "},
    {"start": 3.0, "end": 4.25, "text": "Hasta luego."},
]


@pytest.fixture
def api() -> Iterator[api_fixtures.Api]:
    with api_fixtures.running_api(
        language_model_base_url="http://127.0.0.1:9/v1", largest_transcript_characters=100
    ) as running:
        yield running


def submit(api: api_fixtures.Api, **body: Any) -> contract_api.JobQueued:
    answer = api.http.post("/jobs", json=body)
    assert answer.status_code == 201, answer.text
    return contract_api.JobQueued.model_validate_json(answer.content)


def transcript_of(api: api_fixtures.Api, job_id: str) -> results.Transcript:
    job = api.store.get(tenant_id="default", job_id=job_id)
    assert job.source is not None
    return results.Transcript.model_validate_json(api.blobs.read(job.source))


def finished(
    api: api_fixtures.Api, transcript: results.Transcript | None, status: str = "completed", **job: Any
) -> str:
    """A job that has ended, with this transcript."""
    job_id = api.started(**job)
    files = {}
    if transcript is not None:
        path = blobs.run_file_path(tenant_id="default", job_id=job_id, run=1, name="transcript.json")
        data = transcript.model_dump_json().encode()
        api.blobs.create(blobs.Container.RESULTS, path, data, content_type="application/json")
        files = {"transcript.json": path}
    manifest = results.RunManifest(
        job_id=job_id,
        run=1,
        workflow=jobs.Workflow.FULL_PIPELINE,
        status=jobs.JobStatus(status),
        keys={},
        files=files,
    )
    path = blobs.run_manifest_path(tenant_id="default", job_id=job_id, run=1)
    api.blobs.create(
        blobs.Container.RESULTS, path, manifest.model_dump_json().encode(), content_type="application/json"
    )
    api.store.end_run(job_id=job_id, run=1, end=job_store.RunEnd(status=jobs.JobStatus(status)))
    return job_id


def test_text_is_queued_and_begun_without_an_upload(api: api_fixtures.Api) -> None:
    queued = submit(api, **TEXT)
    assert queued.status is jobs.JobStatus.QUEUED
    start = api.durable.inputs[api_fixtures.instance_id(queued.job_id)]
    assert "Hola" not in str(start), "the transcript must not lie in Durable's history"
    assert start["source"]["path"] == f"default/{queued.job_id}/source"
    assert start["source"]["etag"]
    found = transcript_of(api, queued.job_id)
    assert (found.text, found.language) == ("Hola.\nHasta luego.", "es")
    assert [(one.id, one.start, one.end, one.text) for one in found.segments] == [
        (0, 0.0, 0.0, "Hola."),
        (1, 0.0, 0.0, "Hasta luego."),
    ]
    job = api.http.get(f"/jobs/{queued.job_id}").json()
    assert (job["file_name"], job["source_language"]) == ("transcript.txt", "es")
    assert [step["step"] for step in job["steps"]] == ["summarize"]


def test_segments_keep_their_times_and_may_leave_the_language_open(api: api_fixtures.Api) -> None:
    queued = submit(api, workflow="translate_only", transcript=LINES, target_language="de")
    found = transcript_of(api, queued.job_id)
    assert [(one.id, one.start, one.end, one.text) for one in found.segments] == [
        (0, 0.5, 2.0, "Hola."),
        (1, 3.0, 4.25, "Hasta luego."),
    ]
    assert (found.language, found.duration_seconds) == ("und", 4.25)
    assert api.http.get(f"/jobs/{queued.job_id}").json()["source_language"] is None


def test_transcript_of_a_finished_job_is_copied(api: api_fixtures.Api) -> None:
    original = transcript_of(api, submit(api, **TEXT).job_id)
    source_job_id = finished(api, original, "partial_complete")
    queued = submit(api, workflow="translate_only", source_job_id=source_job_id)
    assert transcript_of(api, queued.job_id) == original
    job = api.http.get(f"/jobs/{queued.job_id}").json()
    assert (job["source_job_id"], job["source_language"]) == (source_job_id, "es")


def test_job_is_queued_though_durable_is_away(api: api_fixtures.Api) -> None:
    api.durable.away = True
    queued = submit(api, **TEXT)
    assert api.store.get(tenant_id="default", job_id=queued.job_id).status is jobs.JobStatus.QUEUED
    api.durable.away = False


def test_storage_that_is_away_makes_no_job(api: api_fixtures.Api) -> None:
    api.blobs.away = True
    answer = api.http.post("/jobs", json=TEXT)
    api.blobs.away = False
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert api.http.get("/jobs").json()["jobs"] == []


def test_glossary_goes_with_the_job_into_its_run(api: api_fixtures.Api) -> None:
    queued = submit(api, **TEXT, glossary={"Hola": "Hi"})
    assert api.http.get(f"/jobs/{queued.job_id}").json()["glossary"] == {"Hola": "Hi"}
    job = api.store.get(tenant_id="default", job_id=queued.job_id)
    assert runs.run_input(job, api.parts.settings).glossary == {"Hola": "Hi"}


BAD = [
    ({"workflow": "translate_only"}, 422, "transcript_required", "transcript"),
    (TEXT | {"transcript": ""}, 422, "transcript_required", "transcript"),
    (TEXT | {"transcript": " \n\t"}, 422, "transcript_required", "transcript"),
    (TEXT | {"transcript": []}, 422, "transcript_required", "transcript"),
    (TEXT | {"transcript": "a" * 101}, 413, "transcript_too_large", "transcript"),
    (TEXT | {"source_language": None}, 422, "source_language_required", "source_language"),
    (TEXT | {"source_language": "xx-nope"}, 422, "unknown_language", "source_language"),
    (TEXT | {"transcript": "a\x00b"}, 422, "invalid_request", "transcript"),
    (TEXT | {"transcript": 7}, 422, "invalid_request", "transcript.segments"),
    (TEXT | {"transcript": [{"start": 0, "text": "a"}]}, 422, "invalid_request", "transcript.segments.0.end"),
    (
        TEXT | {"transcript": [{"start": -1, "end": 1, "text": "a"}]},
        422,
        "invalid_request",
        "transcript.segments.0.start",
    ),
    (TEXT | {"transcript": [{"start": 2, "end": 1, "text": "a"}]}, 422, "invalid_request", "transcript.0"),
    (TEXT | {"transcript": [LINES[2], LINES[0]]}, 422, "invalid_request", "transcript.1"),
    (TEXT | {"source_job_id": "0" * 32}, 422, "invalid_request", "source_job_id"),
    (
        TEXT | {"workflow": "translate_only", "target_language": "ES"},
        422,
        "invalid_request",
        "target_language",
    ),
    (TEXT | {"workflow": "full_pipeline"}, 422, "invalid_request", "transcript"),
    ({"workflow": "lid_only", "source_job_id": "0" * 32}, 422, "invalid_request", "source_job_id"),
    (
        {"workflow": "summarize_only", "source_job_id": "0" * 32},
        422,
        "source_job_not_usable",
        "source_job_id",
    ),
    (
        {"workflow": "summarize_only", "source_job_id": "../../x"},
        422,
        "source_job_not_usable",
        "source_job_id",
    ),
    (TEXT | {"glossary": {" ": "x"}}, 422, "invalid_request", "glossary"),
    (TEXT | {"glossary": {"x": "y" * 201}}, 422, "invalid_request", "glossary"),
    (TEXT | {"glossary": {str(n): "y" for n in range(501)}}, 422, "invalid_request", "glossary"),
]


@pytest.mark.parametrize(("body", "status", "code", "field"), BAD, ids=range(len(BAD)))
def test_submission_that_is_wrong_names_its_field_and_makes_no_job(
    api: api_fixtures.Api, body: dict[str, Any], status: int, code: str, field: str
) -> None:
    answer = api.http.post("/jobs", json=body)
    problem = contract_api.Problem.model_validate_json(answer.content)
    assert (answer.status_code, problem.code, problem.errors[0].field) == (status, code, field)
    assert api.http.get("/jobs").json()["jobs"] == []
    assert list(api.blobs.paths(blobs.Container.AUDIO_FILES, "")) == []


@pytest.mark.parametrize(
    "status", ["processing", "failed", "cancelled", "without", "wordless", "other_tenant"]
)
def test_job_without_a_usable_transcript_is_refused_with_the_reason(
    api: api_fixtures.Api, status: str
) -> None:
    with_words = transcript_of(api, submit(api, **TEXT).job_id)
    wordless = with_words.model_copy(update={"segments": (), "text": ""})
    if status == "processing":
        source_job_id = api.started()
    elif status in ("failed", "cancelled"):
        source_job_id = finished(api, None, status)
    elif status == "other_tenant":
        source_job_id = finished(api, with_words)
        job = api.store._jobs[source_job_id]
        api.store._jobs[source_job_id] = dataclasses.replace(job, tenant_id="other")
    else:
        source_job_id = finished(api, wordless if status == "wordless" else None)
    answer = api.http.post("/jobs", json={"workflow": "summarize_only", "source_job_id": source_job_id})
    assert (answer.status_code, answer.json()["code"]) == (422, "source_job_not_usable")
    words = {
        "processing": "is processing: wait until it has ended",
        "failed": "is failed and has no transcript",
        "cancelled": "is cancelled and has no transcript",
        "without": "has no transcript: its workflow was full_pipeline",
        "wordless": "has no words",
        "other_tenant": "There is no job",
    }
    assert words[status] in answer.json()["detail"]
