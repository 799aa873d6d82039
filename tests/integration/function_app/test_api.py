"""The API over PostgreSQL and Azurite: what a client does, from the first request to the results."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from contracts import api as contract_api
from contracts import blobs, jobs, results
from function_app import blobs_azure, queues_memory, services, settings
from function_app.api import app as api_app
from function_app.api import durable
from function_app.store import job_store, postgres
from tests.integration import azurite_process
from tests.integration.function_app import store_fixtures
from tests.unit.function_app.api_fixtures import DurableTwin


@pytest.fixture(scope="module")
def parts(database_url: str, azurite: azurite_process.AzuriteProcess) -> Iterator[services.Services]:
    read: settings.Settings = store_fixtures.store_settings(
        database_url, azure_storage_connection_string=azurite.connection_string
    )
    store, blob_store = postgres.connect(read), blobs_azure.connect(read)
    store.migrate()
    blob_store.create_containers()
    yield services.Services(
        settings=read, store=store, blobs=blob_store, sender=queues_memory.MemoryStepSender()
    )
    store.close()
    blob_store.close()


@pytest.fixture
def durable_client() -> DurableTwin:
    return DurableTwin()


@pytest.fixture
def http(parts: services.Services, durable_client: DurableTwin) -> Iterator[TestClient]:
    asgi = api_app.create()

    async def with_client(scope: Scope, receive: Receive, send: Send) -> None:
        with durable.using(durable_client):
            await asgi(scope, receive, send)

    services.use(parts)
    with TestClient(with_client) as client:
        yield client
    services.use(None)


def _created(http: TestClient) -> contract_api.JobCreated:
    answer = http.post("/jobs", json={"file_name": "Besprechung 你好.flac"})
    assert answer.status_code == 201, answer.text
    return contract_api.JobCreated.model_validate_json(answer.content)


def _upload(created: contract_api.JobCreated, data: bytes) -> httpx.Response:
    return httpx.put(created.upload_url, content=data, headers=created.upload_headers)


def test_job_goes_from_upload_to_results(
    http: TestClient, parts: services.Services, durable_client: DurableTwin
) -> None:
    created = _created(http)
    missing = http.post(f"/jobs/{created.job_id}/start")
    assert (missing.status_code, missing.json()["code"]) == (409, "upload_missing")
    assert _upload(created, b"fLaC").status_code == 201
    started = http.post(f"/jobs/{created.job_id}/start")
    assert (started.status_code, started.json()["status"]) == (202, "queued")
    assert http.post(f"/jobs/{created.job_id}/start").json() == started.json()
    assert list(durable_client.inputs) == [f"{created.job_id}.1"]
    assert parts.store.begin_run(job_id=created.job_id, run=1)
    _finish(parts, created.job_id)
    found = contract_api.JobResults.model_validate_json(http.get(f"/jobs/{created.job_id}/results").content)
    file = httpx.get(found.files["transcript.txt"])
    assert file.text == "hello"
    assert file.headers["content-disposition"] == "attachment; filename*=UTF-8''transcript.txt"
    assert http.get(f"/jobs/{created.job_id}").json()["file_name"] == "Besprechung 你好.flac"


def _finish(parts: services.Services, job_id: str) -> None:
    path = blobs.run_file_path(tenant_id="default", job_id=job_id, run=1, name="transcript.txt")
    parts.blobs.create(blobs.Container.RESULTS, path, b"hello", content_type="text/plain")
    manifest = results.RunManifest(
        job_id=job_id,
        run=1,
        workflow=jobs.Workflow.FULL_PIPELINE,
        status=jobs.JobStatus.COMPLETED,
        keys={},
        files={"transcript.txt": path},
    )
    parts.blobs.create(
        blobs.Container.RESULTS,
        blobs.run_manifest_path(tenant_id="default", job_id=job_id, run=1),
        manifest.model_dump_json().encode(),
        content_type="application/json",
    )
    assert parts.store.end_run(job_id=job_id, run=1, end=job_store.RunEnd(status=jobs.JobStatus.COMPLETED))


def test_later_write_to_the_upload_changes_nothing(http: TestClient, parts: services.Services) -> None:
    created = _created(http)
    _upload(created, b"first")
    http.post(f"/jobs/{created.job_id}/start")
    assert _upload(created, b"second, and longer").status_code == 201
    http.post(f"/jobs/{created.job_id}/start")
    job = parts.store.get(tenant_id="default", job_id=created.job_id)
    assert job.source is not None
    assert job.source.size_bytes == 5


@pytest.mark.parametrize(
    ("method", "other"),
    [("GET", False), ("DELETE", False), ("PUT", True)],
    ids=["read", "delete", "other blob"],
)
def test_upload_url_is_good_for_writing_one_blob_and_nothing_else(
    http: TestClient, method: str, *, other: bool
) -> None:
    created = _created(http)
    _upload(created, b"fLaC")
    url = created.upload_url.replace("/source?", "/other?") if other else created.upload_url
    answer = httpx.request(method, url, headers=created.upload_headers)
    assert answer.status_code == 403


def test_cancel_writes_the_marker_once(http: TestClient, parts: services.Services) -> None:
    created = _created(http)
    _upload(created, b"fLaC")
    http.post(f"/jobs/{created.job_id}/start")
    for _ in range(2):
        assert http.post(f"/jobs/{created.job_id}/cancel").json()["status"] == "cancelled"
    prefix = blobs.work_prefix(tenant_id="default", job_id=created.job_id)
    assert list(parts.blobs.paths(blobs.Container.WORK, prefix)) == [f"{prefix}cancelled-1"]


def test_everything_that_is_needed_answers(http: TestClient) -> None:
    assert http.get("/ready").json()["checks"] == {"store": "ok", "blobs": "ok", "queues": "ok"}


def test_list_takes_its_pages_from_the_database(http: TestClient) -> None:
    made = {_created(http).job_id for _ in range(3)}
    first = http.get("/jobs", params={"limit": 2, "status": "pending_upload"}).json()
    assert [job["status"] for job in first["jobs"]] == ["pending_upload"] * 2
    rest = http.get("/jobs", params={"limit": 100, "cursor": first["next_cursor"]}).json()
    assert made <= {job["job_id"] for job in first["jobs"] + rest["jobs"]}
    odd = http.get("/jobs", params={"created_from": "9999-12-31T23:59:59-14:00"})
    assert odd.status_code == 422
    early = http.get("/jobs", params={"created_from": "0001-01-01T00:00:00Z", "limit": 1})
    assert early.status_code == 200
