"""The promises of the blob store, kept by Azurite and by the twin in memory alike."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from contracts import blobs
from function_app import blobs as blob_stores
from function_app import blobs_azure, blobs_memory, errors
from local_stack import free_ports
from tests.integration import azurite_process
from tests.integration.function_app import store_fixtures

WORK, AUDIO = blobs.Container.WORK, blobs.Container.AUDIO_FILES


@pytest.fixture(scope="module")
def azure_store(azurite: azurite_process.AzuriteProcess) -> Iterator[blobs_azure.AzureBlobStore]:
    read = store_fixtures.store_settings(
        "postgresql://unused", azure_storage_connection_string=azurite.connection_string
    )
    store = blobs_azure.connect(read)
    store.create_containers()
    store.create_containers()
    yield store
    store.close()


@pytest.fixture(params=["memory", "azurite"])
def store(request: pytest.FixtureRequest) -> blob_stores.BlobStore:
    if request.param == "memory":
        return blobs_memory.MemoryBlobStore()
    real: blob_stores.BlobStore = request.getfixturevalue("azure_store")
    return real


@pytest.fixture
def path() -> str:
    return f"default/{uuid.uuid4().hex}/a b ä.json"


def put(store: blob_stores.BlobStore, container: blobs.Container, path: str, data: bytes) -> None:
    """Overwrites as a client with an upload URL does."""
    if isinstance(store, blobs_memory.MemoryBlobStore):
        store.put(container, path, data)
        return
    url, _ = store.upload_url(container, path, lifetime=timedelta(minutes=5))
    answer = httpx.put(url, content=data, headers={"x-ms-blob-type": "BlockBlob"})
    assert answer.status_code == 201, answer.text


def test_created_blob_reads_back_with_its_hash_and_is_written_once(
    store: blob_stores.BlobStore, path: str
) -> None:
    made = store.create(WORK, path, b"one", content_type="application/json")
    assert made.content_hash == f"sha256:{hashlib.sha256(b'one').hexdigest()}"
    assert made.size_bytes == 3
    assert store.read(made) == b"one"
    with pytest.raises(errors.BlobExistsError):
        store.create(WORK, path, b"two", content_type="application/json")
    facts = store.facts(WORK, path)
    assert facts is not None
    assert facts.reference == made
    assert (facts.size_bytes, facts.content_type) == (3, "application/json")
    assert abs(datetime.now(UTC) - facts.last_modified) < timedelta(minutes=1)


def test_ensure_answers_what_is_there(store: blob_stores.BlobStore, path: str) -> None:
    first = store.ensure(WORK, path, b"one", content_type="text/plain")
    assert store.ensure(WORK, path, b"two", content_type="text/plain") == first
    assert store.read(first) == b"one"


def test_empty_blob_is_a_blob(store: blob_stores.BlobStore, path: str) -> None:
    assert store.read(store.create(WORK, path, b"", content_type="text/plain")) == b""


def test_one_of_many_simultaneous_writers_wins(store: blob_stores.BlobStore, path: str) -> None:
    start = threading.Barrier(6)
    won: list[blobs.BlobReference | None] = []

    def write(number: int) -> None:
        start.wait(10)
        try:
            won.append(store.create(WORK, path, b"%d" % number, content_type="text/plain"))
        except errors.BlobExistsError:
            won.append(None)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len([one for one in won if one is not None]) == 1


def test_missing_blob_is_none_or_an_error(store: blob_stores.BlobStore, path: str) -> None:
    assert store.facts(WORK, path) is None
    with pytest.raises(errors.BlobMissingError):
        store.read(blobs.BlobReference(container=WORK, path=path))
    with pytest.raises(errors.BlobMissingError):
        store.read(blobs.BlobReference(container=WORK, path=path, etag='"0x1"'))


def test_pinned_version_is_read_or_nothing(store: blob_stores.BlobStore, path: str) -> None:
    put(store, AUDIO, path, b"first")
    first = store.facts(AUDIO, path)
    assert first is not None
    assert first.reference.content_hash is None
    put(store, AUDIO, path, b"second")
    with pytest.raises(errors.BlobChangedError):
        store.read(first.reference)
    assert store.read(first.reference.model_copy(update={"etag": None})) == b"second"


def test_prefix_lists_and_deletes_what_lies_under_it(store: blob_stores.BlobStore) -> None:
    prefix = f"default/{uuid.uuid4().hex}/"
    for name in ("a", "b/c", "b/d"):
        store.create(WORK, f"{prefix}{name}", b"x", content_type="text/plain")
    neighbour = f"{prefix.rstrip('/')}-neighbour/a"
    store.create(WORK, neighbour, b"x", content_type="text/plain")
    assert sorted(store.paths(WORK, prefix)) == [f"{prefix}a", f"{prefix}b/c", f"{prefix}b/d"]
    assert store.delete_prefix(WORK, prefix) == 3
    assert store.delete_prefix(WORK, prefix) == 0
    assert store.facts(WORK, neighbour) is not None


def test_what_was_written_before_a_moment_is_deleted(store: blob_stores.BlobStore, path: str) -> None:
    drop_folder = blobs.Container.DROP_FOLDER
    store.create(drop_folder, path, b"x", content_type="text/plain")
    now = datetime.now(UTC)
    assert store.delete_older(drop_folder, written_before=now - timedelta(hours=1)) == 0
    assert store.facts(drop_folder, path) is not None
    assert store.delete_older(drop_folder, written_before=now + timedelta(hours=1)) == 1
    assert store.facts(drop_folder, path) is None


def test_signed_urls_end_when_they_say(store: blob_stores.BlobStore, path: str) -> None:
    _, expires_at = store.upload_url(AUDIO, path, lifetime=timedelta(minutes=60))
    assert timedelta(minutes=59) < expires_at - datetime.now(UTC) <= timedelta(minutes=60)
    store.ping()


def test_read_url_saves_under_any_file_name(azure_store: blobs_azure.AzureBlobStore, path: str) -> None:
    azure_store.create(WORK, path, b"text", content_type="text/plain")
    url = azure_store.read_url(WORK, path, lifetime=timedelta(minutes=5), file_name='Ü "x".txt')
    answer = httpx.get(url)
    assert answer.content == b"text"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%9C%20%22x%22.txt"
    assert httpx.put(url, content=b"no", headers={"x-ms-blob-type": "BlockBlob"}).status_code == 403


def test_expired_url_is_refused(azure_store: blobs_azure.AzureBlobStore, path: str) -> None:
    url, _ = azure_store.upload_url(AUDIO, path, lifetime=timedelta(seconds=-60))
    assert httpx.put(url, content=b"late", headers={"x-ms-blob-type": "BlockBlob"}).status_code == 403


def test_uploaders_own_hash_is_not_believed(azure_store: blobs_azure.AzureBlobStore, path: str) -> None:
    url, _ = azure_store.upload_url(AUDIO, path, lifetime=timedelta(minutes=5))
    claimed = {"x-ms-blob-type": "BlockBlob", "x-ms-meta-content_hash": f"sha256:{'0' * 64}"}
    assert httpx.put(url, content=b"x", headers=claimed).status_code == 201
    facts = azure_store.facts(AUDIO, path)
    assert facts is not None
    assert facts.reference.content_hash is None


def test_uncommitted_blocks_are_no_blob(azure_store: blobs_azure.AzureBlobStore, path: str) -> None:
    url, _ = azure_store.upload_url(AUDIO, path, lifetime=timedelta(minutes=5))
    assert httpx.put(f"{url}&comp=block&blockid=MDA=", content=b"x").status_code == 201
    assert azure_store.facts(AUDIO, path) is None


def test_storage_that_is_away_is_an_error_within_its_limit() -> None:
    port = free_ports.free_port()
    away = (
        f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
        f"AccountKey={azurite_process.ACCOUNT_KEY};BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"
    )
    store = blobs_azure.connect(
        store_fixtures.store_settings("postgresql://unused", azure_storage_connection_string=away)
    )
    with pytest.raises(errors.BlobsUnavailableError):
        store.ping()
    with pytest.raises(errors.BlobsUnavailableError):
        store.facts(WORK, "x")
    store.close()


def test_replaced_blob_has_another_version(store: blob_stores.BlobStore, path: str) -> None:
    first = store.replace(WORK, path, b"one", content_type="text/plain")
    second = store.replace(WORK, path, b"two", content_type="text/plain")
    assert first.etag != second.etag
    assert store.read(second) == b"two"
    with pytest.raises(errors.BlobChangedError):
        store.read(first)


def test_listing_gives_the_version_that_facts_give(store: blob_stores.BlobStore, path: str) -> None:
    put(store, blobs.Container.DROP_FOLDER, path, b"one")
    (found,) = [one for one in store.listed(blobs.Container.DROP_FOLDER) if one.path == path]
    facts = store.facts(blobs.Container.DROP_FOLDER, path)
    assert facts is not None
    assert found == facts.reference


def test_url_has_no_signature(azure_store: blobs_azure.AzureBlobStore, path: str) -> None:
    url = azure_store.url(WORK, path)
    assert "?" not in url
    assert httpx.get(url).status_code in (403, 404, 409)


def test_pages_of_the_allowed_origins_may_upload(azurite: azurite_process.AzuriteProcess, path: str) -> None:
    read = store_fixtures.store_settings(
        "postgresql://unused",
        azure_storage_connection_string=azurite.connection_string,
        cors_allowed_origins="http://127.0.0.1:7071, https://speech.example ,",
    )
    store = blobs_azure.connect(read)
    store.create_containers()
    url, _ = store.upload_url(AUDIO, path, lifetime=timedelta(minutes=5))
    store.close()

    def preflight(origin: str) -> httpx.Response:
        asked = {"access-control-request-method": "PUT", "access-control-request-headers": "x-ms-blob-type"}
        return httpx.options(url, headers={"origin": origin, **asked})

    for origin in ("http://127.0.0.1:7071", "https://speech.example"):
        answer = preflight(origin)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == origin
    assert preflight("https://elsewhere.example").status_code == 403
    headers = {"x-ms-blob-type": "BlockBlob", "origin": "https://speech.example"}
    put_answer = httpx.put(url, content=b"x", headers=headers)
    assert put_answer.status_code == 201
    assert "etag" in put_answer.headers["access-control-expose-headers"].lower()
