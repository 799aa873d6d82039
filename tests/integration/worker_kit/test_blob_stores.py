"""One contract, two stores: Blob Storage and its twin in memory."""

from __future__ import annotations

import http.server
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.storage.blob import BlobServiceClient
from pydantic import SecretStr

from contracts.blobs import BlobReference, Container
from local_stack import free_ports
from tests.integration import azurite_process
from worker_kit import azure_blobs, errors
from worker_kit.blobs import BlobStore, content_hash
from worker_kit.memory_blobs import MemoryBlobStore
from worker_kit.settings import StorageSettings

_numbers = itertools.count()


@pytest.fixture(params=["azure", "memory"])
def store(request: pytest.FixtureRequest, storage: azurite_process.AzuriteProcess) -> Iterator[BlobStore]:
    if request.param == "memory":
        yield MemoryBlobStore()
        return
    opened = azure_blobs.open_store(settings(storage))
    yield opened
    opened.close()


@pytest.fixture
def path() -> str:
    """A path that nobody else uses."""
    return f"tenant/job/blob-{next(_numbers)}"


def settings(storage: azurite_process.AzuriteProcess) -> StorageSettings:
    # Small blocks: a few megabytes go through every way of transfer.
    return StorageSettings(
        azure_storage_connection_string=SecretStr(storage.connection_string),
        storage_single_upload_bytes=1024 * 1024,
        storage_block_bytes=1024 * 1024,
        storage_connect_timeout_seconds=1,
        storage_retries=1,
    )


def create(store: BlobStore, path: str, data: bytes | Path) -> BlobReference:
    return store.create(Container.WORK, path, data, content_type="audio/flac")


@pytest.mark.parametrize("size", [0, 10, 1024 * 1024, 3 * 1024 * 1024 + 7])
def test_what_was_written_is_read_back(store: BlobStore, path: str, tmp_path: Path, size: int) -> None:
    data = bytes(range(251)) * (size // 251) + bytes(size % 251)
    written = create(store, path, data)
    assert written == store.find(Container.WORK, path)
    assert (written.size_bytes, written.content_hash) == (size, content_hash(data))
    assert store.read(written) == data
    target, seen = tmp_path / "copy", list[int]()
    assert store.download(written, target, on_block=seen.append) == written
    assert target.read_bytes() == data
    assert seen == sorted(seen)
    assert not size or seen[-1] == size


def test_file_is_uploaded_as_its_bytes(store: BlobStore, path: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * (2 * 1024 * 1024 + 1))
    assert store.read(create(store, path, file)) == file.read_bytes()


def test_blob_is_written_once(store: BlobStore, path: str) -> None:
    first = create(store, path, b"first")
    with pytest.raises(errors.BlobExistsError):
        create(store, path, b"second")
    assert store.ensure(Container.WORK, path, b"third", content_type="audio/flac") == first
    assert store.read(first) == b"first"


def test_large_blob_is_written_once_too(store: BlobStore, path: str) -> None:
    first = create(store, path, b"1" * (2 * 1024 * 1024))
    with pytest.raises(errors.BlobExistsError):
        create(store, path, b"2" * (2 * 1024 * 1024))
    assert store.find(Container.WORK, path) == first


def test_of_many_writers_at_once_one_wins_and_all_agree(store: BlobStore, path: str) -> None:
    def write(number: int) -> BlobReference:
        return store.ensure(Container.WORK, path, b"%d" % number, content_type="audio/flac")

    with ThreadPoolExecutor(8) as pool:
        references = set(pool.map(write, range(8)))
    assert len(references) == 1


def test_blob_that_is_not_there(store: BlobStore, path: str, tmp_path: Path) -> None:
    reference = BlobReference(container=Container.WORK, path=path)
    assert store.find(Container.WORK, path) is None
    with pytest.raises(errors.BlobMissingError):
        store.read(reference)
    with pytest.raises(errors.BlobMissingError):
        store.download(reference, tmp_path / "x")


@pytest.mark.parametrize(
    "stale",
    [
        pytest.param({"etag": '"0x0"'}, id="etag"),
        pytest.param({"content_hash": "sha256:" + "0" * 64}, id="content-hash"),
    ],
)
def test_blob_in_another_version_is_an_error(
    store: BlobStore, path: str, tmp_path: Path, stale: dict[str, str]
) -> None:
    reference = create(store, path, b"data").model_copy(update=stale)
    with pytest.raises(errors.BlobChangedError):
        store.read(reference)
    with pytest.raises(errors.BlobChangedError):
        store.download(reference, tmp_path / "x")


def test_blob_that_is_too_large_is_not_transferred(store: BlobStore, path: str, tmp_path: Path) -> None:
    reference = create(store, path, b"12345")
    with pytest.raises(errors.BlobTooLargeError):
        store.download(reference, tmp_path / "x", largest_bytes=4)
    assert not (tmp_path / "x").exists()
    assert store.download(reference, tmp_path / "y", largest_bytes=5).size_bytes == 5


def test_what_a_block_callback_raises_ends_the_download(store: BlobStore, path: str, tmp_path: Path) -> None:
    reference = create(store, path, b"x" * (3 * 1024 * 1024))

    def stop(written: int) -> None:
        raise errors.StepCancelledError

    with pytest.raises(errors.StepCancelledError):
        store.download(reference, tmp_path / "x", on_block=stop)


def test_paths_are_those_under_the_prefix_in_order(store: BlobStore, path: str) -> None:
    for name in ("b", "a", "c/d"):
        create(store, f"{path}/{name}", b"")
    create(store, f"{path}-other", b"")
    assert list(store.paths(Container.WORK, f"{path}/")) == [f"{path}/a", f"{path}/b", f"{path}/c/d"]


def test_storage_that_is_there_answers_a_ping(store: BlobStore) -> None:
    store.ping()


def test_upload_that_is_overwritten_after_its_etag_was_pinned_is_noticed(
    storage: azurite_process.AzuriteProcess, path: str, tmp_path: Path
) -> None:
    with BlobServiceClient.from_connection_string(storage.connection_string) as client:
        blob = client.get_blob_client(Container.AUDIO_FILES, path)
        etag = blob.upload_blob(b"one")["etag"]
        pinned = BlobReference(container=Container.AUDIO_FILES, path=path, etag=etag)
        blob.upload_blob(b"two", overwrite=True, etag=etag, match_condition=MatchConditions.IfNotModified)
    store = azure_blobs.open_store(settings(storage))
    with pytest.raises(errors.BlobChangedError):
        store.download(pinned, tmp_path / "x")
    store.close()


def test_storage_that_is_away_is_an_error_and_not_a_wait(tmp_path: Path) -> None:
    nowhere = azurite_process.AzuriteProcess(
        port=free_ports.free_port(),
        directory=tmp_path,
        process=None,  # type: ignore[arg-type]  # nothing runs there: only its address is used
    )
    store = azure_blobs.open_store(settings(nowhere).model_copy(update={"storage_retries": 0}))
    with pytest.raises(errors.BlobsUnavailableError):
        store.ping()
    with pytest.raises(errors.BlobsUnavailableError):
        store.find(Container.WORK, "x")
    store.close()


class HalfAnswers(http.server.BaseHTTPRequestHandler):
    """Promises a blob of 1000 bytes, and hangs up in its middle."""

    def do_GET(self) -> None:
        self.send_response(206)
        for name, value in {
            "Content-Length": "1000",
            "Content-Range": "bytes 0-999/1000",
            "ETag": '"1"',
            "Last-Modified": "Wed, 25 Nov 2026 03:00:00 GMT",
            "x-ms-blob-type": "BlockBlob",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"x" * 500)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def test_answer_that_breaks_off_is_an_outage_said_in_words() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), HalfAnswers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        store = azure_blobs.open_store(
            StorageSettings(
                azure_storage_connection_string=SecretStr(
                    "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=aw==;"
                    f"BlobEndpoint=http://127.0.0.1:{server.server_port}/a;"
                ),
                storage_retries=0,
            )
        )
        with pytest.raises(errors.BlobsUnavailableError, match="does not answer to the end"):
            store.read(BlobReference(container=Container.WORK, path="a"))
        store.close()
        server.shutdown()


class Nobody:
    """A process without an identity."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        raise ClientAuthenticationError("no credential")


def test_missing_identity_is_said_in_words() -> None:
    store = azure_blobs.AzureBlobStore(BlobServiceClient("https://nowhere.invalid", Nobody(), retry_total=0))
    with pytest.raises(errors.BlobsUnavailableError, match="does not accept this worker's credentials"):
        store.ping()
    store.close()
