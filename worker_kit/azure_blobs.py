"""Azure Blob Storage, or an Azurite that stands in for it."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

from azure.core import MatchConditions
from azure.core import exceptions as azure_errors
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobClient, BlobServiceClient, ContentSettings, ExponentialRetry

from contracts import blobs
from worker_kit import errors
from worker_kit.blobs import BLOCK_BYTES, content_hash
from worker_kit.settings import StorageSettings

HASH_METADATA: Final = "content_hash"
"""Workers keep what they wrote hashed beside it, so that a reference needs no second reading."""

_GONE: Final = frozenset({404})
_CHANGED: Final = frozenset({304, 412})
_EXISTS: Final = frozenset({409})


class AzureBlobStore:
    """The real thing. Time-outs and retries are bounded: an outage is an error after about half a minute."""

    def __init__(self, client: BlobServiceClient) -> None:
        self._client = client

    def find(self, container: blobs.Container, path: str) -> blobs.BlobReference | None:
        try:
            with _translated(container, path):
                properties = self._blob(container, path).get_blob_properties()
        except errors.BlobMissingError:
            return None
        return _reference(container, path, properties)

    def read(self, reference: blobs.BlobReference) -> bytes:
        with _translated(reference.container, reference.path):
            stream = self._blob_of(reference).download_blob(**_if_match(reference))
            data = bytes(stream.readall())
        _check_hash(reference, content_hash(data))
        return data

    def download(
        self,
        reference: blobs.BlobReference,
        target: Path,
        *,
        largest_bytes: int | None = None,
        on_block: Callable[[int], None] | None = None,
    ) -> blobs.BlobReference:
        with _translated(reference.container, reference.path):
            stream = self._blob_of(reference).download_blob(**_if_match(reference))
            if largest_bytes is not None and stream.size > largest_bytes:
                raise errors.BlobTooLargeError(reference.container, reference.path)
            with target.open("xb") as file:
                found_hash = _copy(stream.chunks(), file, on_block)
        _check_hash(reference, found_hash)
        return blobs.BlobReference(
            container=reference.container,
            path=reference.path,
            etag=str(stream.properties.etag),
            content_hash=found_hash,
            size_bytes=stream.size,
        )

    def create(
        self, container: blobs.Container, path: str, data: bytes | Path, *, content_type: str
    ) -> blobs.BlobReference:
        data_hash = content_hash(data)
        with _opened(data) as body, _translated(container, path):
            answer = self._blob(container, path).upload_blob(
                body,
                length=_size(data),
                # `IfMissing` alone is If-None-Match: *; the SDK refuses an etag beside it.
                match_condition=MatchConditions.IfMissing,
                metadata={HASH_METADATA: data_hash},
                content_settings=ContentSettings(content_type=content_type),
            )
        return blobs.BlobReference(
            container=container,
            path=path,
            etag=str(answer["etag"]),
            content_hash=data_hash,
            size_bytes=_size(data),
        )

    def ensure(
        self, container: blobs.Container, path: str, data: bytes | Path, *, content_type: str
    ) -> blobs.BlobReference:
        try:
            return self.create(container, path, data, content_type=content_type)
        except errors.BlobExistsError:
            found = self.find(container, path)
            if found is None:
                raise errors.BlobMissingError(container, path) from None
            return found

    def paths(self, container: blobs.Container, prefix: str) -> Iterator[str]:
        with _translated(container, prefix):
            yield from self._client.get_container_client(container).list_blob_names(name_starts_with=prefix)

    def ping(self) -> None:
        for container in (blobs.Container.WORK, blobs.Container.RESULTS):
            try:
                with _translated(container, ""):
                    self._client.get_container_client(container).get_container_properties()
            except errors.BlobMissingError as error:
                message = f"Blob storage has no container {container} yet."
                raise errors.BlobsUnavailableError(message) from error

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _blob(self, container: blobs.Container, path: str) -> BlobClient:
        return self._client.get_blob_client(container, path)

    def _blob_of(self, reference: blobs.BlobReference) -> BlobClient:
        return self._blob(reference.container, reference.path)


def open_store(settings: StorageSettings) -> AzureBlobStore:
    """A store by connection string, or by account URL and the process's identity."""
    options: dict[str, Any] = {
        "connection_timeout": settings.storage_connect_timeout_seconds,
        "read_timeout": settings.storage_read_timeout_seconds,
        # The SDK's own policy begins with 15 s of waiting.
        "retry_policy": ExponentialRetry(
            initial_backoff=1, increment_base=2, retry_total=settings.storage_retries
        ),
        "max_single_put_size": settings.storage_single_upload_bytes,
        "max_block_size": settings.storage_block_bytes,
        "max_single_get_size": settings.storage_block_bytes,
        "max_chunk_get_size": settings.storage_block_bytes,
    }
    if settings.azure_storage_connection_string is not None:
        secret = settings.azure_storage_connection_string.get_secret_value()
        return AzureBlobStore(BlobServiceClient.from_connection_string(secret, **options))
    client = BlobServiceClient(settings.azure_storage_account_url, DefaultAzureCredential(), **options)
    return AzureBlobStore(client)


@contextlib.contextmanager
def _translated(container: blobs.Container, path: str) -> Iterator[None]:
    try:
        yield
    except azure_errors.HttpResponseError as error:
        raise _translate(error, container, path) from error
    except azure_errors.AzureError as error:
        # ServiceRequestError, ServiceResponseError, IncompleteReadError: nobody answered, or not to the end.
        raise errors.BlobsUnavailableError from error


def _translate(
    error: azure_errors.HttpResponseError, container: blobs.Container, path: str
) -> errors.WorkerError:
    if error.status_code in _GONE:
        return errors.BlobMissingError(container, path)
    if error.status_code in _CHANGED:
        return errors.BlobChangedError(container, path)
    if error.status_code in _EXISTS:
        return errors.BlobExistsError(container, path)
    if isinstance(error, azure_errors.ClientAuthenticationError):
        return errors.BlobsUnavailableError("Blob storage does not accept this worker's credentials.")
    if error.status_code is None:
        return errors.BlobsUnavailableError("Blob storage does not answer to the end.")
    return errors.BlobsUnavailableError(f"Blob storage answered {error.status_code} {error.reason}.")


def _reference(container: blobs.Container, path: str, properties: Any) -> blobs.BlobReference:
    return blobs.BlobReference(
        container=container,
        path=path,
        etag=str(properties.etag),
        content_hash=(properties.metadata or {}).get(HASH_METADATA),
        size_bytes=int(properties.size),
    )


def _if_match(reference: blobs.BlobReference) -> dict[str, Any]:
    if reference.etag is None:
        return {}
    return {"etag": reference.etag, "match_condition": MatchConditions.IfNotModified}


def _check_hash(reference: blobs.BlobReference, found: str) -> None:
    if reference.content_hash not in (None, found):
        raise errors.BlobChangedError(reference.container, reference.path)


def _copy(parts: Iterator[bytes], file: IO[bytes], on_block: Callable[[int], None] | None) -> str:
    digest = hashlib.sha256()
    written = 0
    for part in parts:
        digest.update(part)
        written += file.write(part)
        if on_block is not None:
            on_block(written)
    return f"sha256:{digest.hexdigest()}"


@contextlib.contextmanager
def _opened(data: bytes | Path) -> Iterator[bytes | IO[bytes]]:
    if isinstance(data, bytes):
        yield data
    else:
        with data.open("rb", buffering=BLOCK_BYTES) as file:
            yield file


def _size(data: bytes | Path) -> int:
    return len(data) if isinstance(data, bytes) else data.stat().st_size
