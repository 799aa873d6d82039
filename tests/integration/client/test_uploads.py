"""Uploads into a real blob service, by the kind of link that the API gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from azure.storage import blob

from client import connection, errors, uploads
from contracts import api, jobs
from tests.integration import azurite_process

CONTAINER = "audio-files"
CONTENT = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def storage(azurite: azurite_process.AzuriteProcess) -> blob.BlobServiceClient:
    service = blob.BlobServiceClient.from_connection_string(azurite.connection_string)
    service.create_container(CONTAINER)
    return service


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    path.write_bytes(CONTENT)
    return path


def _created(storage: blob.BlobServiceClient, name: str, *, minutes: int = 5) -> api.JobCreated:
    expiry = datetime.now(UTC) + timedelta(minutes=minutes)
    sas = blob.generate_blob_sas(
        azurite_process.ACCOUNT_NAME,
        CONTAINER,
        name,
        account_key=azurite_process.ACCOUNT_KEY,
        permission=blob.BlobSasPermissions(create=True, write=True),
        expiry=expiry,
    )
    return api.JobCreated(
        job_id="job-1",
        status=jobs.JobStatus.PENDING_UPLOAD,
        upload_url=f"{storage.get_blob_client(CONTAINER, name).url}?{sas}",
        upload_headers={"x-ms-blob-type": "BlockBlob", "content-type": "audio/wav"},
        upload_expires_at=expiry,
        links=api.JobLinks(self="", start="", results="", cancel=""),
    )


@pytest.mark.parametrize(
    ("single_put_bytes", "name"),
    [(len(CONTENT), "one-put"), (1000, "blocks")],
    ids=["one put", "blocks"],
)
def test_file_arrives_whole_with_its_type(
    storage: blob.BlobServiceClient, recording: Path, single_put_bytes: int, name: str
) -> None:
    with connection.Connection("http://127.0.0.1:1") as server:
        uploads.upload(
            server,
            recording,
            _created(storage, name),
            single_put_bytes=single_put_bytes,
            block_bytes=300_000,
        )
    arrived = storage.get_blob_client(CONTAINER, name)
    assert arrived.download_blob().readall() == CONTENT
    assert arrived.get_blob_properties().content_settings.content_type == "audio/wav"


def test_empty_file_is_uploaded_as_it_is(storage: blob.BlobServiceClient, tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    path.touch()
    with connection.Connection("http://127.0.0.1:1") as server:
        uploads.upload(server, path, _created(storage, "empty"))
    assert storage.get_blob_client(CONTAINER, "empty").download_blob().readall() == b""


def test_link_that_has_expired_is_refused_with_storages_own_word(
    storage: blob.BlobServiceClient, recording: Path
) -> None:
    with (
        connection.Connection("http://127.0.0.1:1") as server,
        pytest.raises(errors.UploadFailedError, match="storage answered 403 AuthorizationFailure"),
    ):
        uploads.upload(server, recording, _created(storage, "late", minutes=-5))


class _AnswersLost(httpx.HTTPTransport):
    """Every first answer to a request that writes a blob is lost on its way; keeps what was written by it."""

    def __init__(self, written: blob.BlobClient) -> None:
        super().__init__()
        self.first_etag: str | None = None
        self._written = written

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        if self.first_etag is None and request.url.params.get("comp") != "block":
            answer.read()
            self.first_etag = self._written.get_blob_properties().etag
            raise httpx.ReadError("the answer is lost", request=request)
        return answer


@pytest.mark.parametrize("single_put_bytes", [len(CONTENT), 1000], ids=["one put", "blocks"])
def test_file_that_is_sent_again_stays_the_version_that_arrived_first(
    storage: blob.BlobServiceClient, recording: Path, single_put_bytes: int
) -> None:
    name = f"again-{single_put_bytes}"
    arrived = storage.get_blob_client(CONTAINER, name)
    losing = _AnswersLost(arrived)
    with connection.Connection("http://127.0.0.1:1", transport=losing, sleep=lambda _: None) as server:
        uploads.upload(server, recording, _created(storage, name), single_put_bytes=single_put_bytes)
    assert losing.first_etag is not None
    assert arrived.get_blob_properties().etag == losing.first_etag
