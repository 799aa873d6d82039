"""Blob storage: Azure's, or Azurite with the same client."""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from azure.core import MatchConditions, exceptions
from azure.storage.blob import (
    BlobClient,
    BlobProperties,
    BlobSasPermissions,
    BlobServiceClient,
    ContentSettings,
    CorsRule,
    ExponentialRetry,
)

from contracts import blobs
from function_app import blobs_signing, errors, settings
from function_app.blobs import BlobFacts

HASH_METADATA: Final = "content_hash"
"""Kept beside what was written, by the workers too, so that a reference needs no second reading."""

_CONNECT_LIMIT_SECONDS: Final = 3
_READ_LIMIT_SECONDS: Final = 20
_PING_LIMIT_SECONDS: Final = 2


class AzureBlobStore:
    """Keeps the promises of `blobs.BlobStore`; any thread may use it."""

    def __init__(
        self,
        service: BlobServiceClient,
        signer: blobs_signing.Signer,
        *,
        owns_containers: bool,
        cors_origins: Sequence[str] = (),
    ) -> None:
        self._service = service
        self._signer = signer
        self._owns_containers = owns_containers
        self._cors_origins = cors_origins

    def create_containers(self) -> None:
        """On a laptop; in Azure they are part of the deployment. Harmless to repeat."""
        if not self._owns_containers:
            return
        for container in blobs.Container:
            with _translated(container, ""), contextlib.suppress(exceptions.ResourceExistsError):
                self._service.create_container(container)
        if self._cors_origins:
            with _translated("service properties", ""):
                self._service.set_service_properties(cors=[_cors_rule(self._cors_origins)])

    def close(self) -> None:
        self._service.close()

    def facts(self, container: blobs.Container, path: str) -> BlobFacts | None:
        try:
            with _translated(container, path):
                found = self._client(container, path).get_blob_properties()
        except errors.BlobMissingError:
            return None
        return _facts(container, path, found)

    def read(self, reference: blobs.BlobReference) -> bytes:
        try:
            return self._download(reference)
        except errors.BlobChangedError:
            # If-Match fails for a blob that is gone, too.
            if self.facts(reference.container, reference.path) is None:
                raise errors.BlobMissingError(f"There is no blob {_place(reference)}.") from None
            raise

    def create(
        self, container: blobs.Container, path: str, data: bytes, *, content_type: str
    ) -> blobs.BlobReference:
        # If-None-Match: *. The SDK refuses `etag` beside it.
        return self._write(
            container, path, data, content_type=content_type, match_condition=MatchConditions.IfMissing
        )

    def replace(
        self, container: blobs.Container, path: str, data: bytes, *, content_type: str
    ) -> blobs.BlobReference:
        return self._write(container, path, data, content_type=content_type, overwrite=True)

    def _write(
        self, container: blobs.Container, path: str, data: bytes, *, content_type: str, **how: Any
    ) -> blobs.BlobReference:
        content_hash = f"sha256:{hashlib.sha256(data).hexdigest()}"
        with _translated(container, path):
            written = self._client(container, path).upload_blob(
                data,
                content_settings=ContentSettings(content_type=content_type),
                metadata={HASH_METADATA: content_hash},
                **how,
            )
        return blobs.BlobReference(
            container=container,
            path=path,
            etag=str(written["etag"]),
            content_hash=content_hash,
            size_bytes=len(data),
        )

    def ensure(
        self, container: blobs.Container, path: str, data: bytes, *, content_type: str
    ) -> blobs.BlobReference:
        try:
            return self.create(container, path, data, content_type=content_type)
        except errors.BlobExistsError:
            existing = self.facts(container, path)
            if existing is None:
                # Deleted between the two calls: whoever called meant it to be there, and may ask again.
                raise errors.BlobsUnavailableError(
                    "The blob was deleted while it was being written."
                ) from None
            return existing.reference

    def paths(self, container: blobs.Container, prefix: str) -> Iterator[str]:
        with _translated(container, prefix):
            yield from self._service.get_container_client(container).list_blob_names(name_starts_with=prefix)

    def listed(self, container: blobs.Container) -> Iterator[blobs.BlobReference]:
        with _translated(container, ""):
            for found in self._service.get_container_client(container).list_blobs():
                # A listing gives ETags without the quotes that belong to them.
                etag = '"{}"'.format(str(found.etag).strip('"'))
                yield blobs.BlobReference(
                    container=container, path=str(found.name), etag=etag, size_bytes=int(found.size)
                )

    def delete_prefix(self, container: blobs.Container, prefix: str) -> int:
        return sum(self._delete(container, path) for path in self.paths(container, prefix))

    def delete_older(self, container: blobs.Container, *, written_before: datetime) -> int:
        with _translated(container, ""):
            listed = self._service.get_container_client(container).list_blobs()
            old = [blob.name for blob in listed if blob.last_modified < written_before]
        return sum(self._delete(container, path) for path in old)

    def upload_url(
        self, container: blobs.Container, path: str, *, lifetime: timedelta
    ) -> tuple[str, datetime]:
        expires_at = datetime.now(UTC).replace(microsecond=0) + lifetime
        grant = blobs_signing.Grant(
            container=container,
            path=path,
            permission=BlobSasPermissions(create=True, write=True),
            expires_at=expires_at,
        )
        return self._signed(grant), expires_at

    def read_url(self, container: blobs.Container, path: str, *, lifetime: timedelta, file_name: str) -> str:
        grant = blobs_signing.Grant(
            container=container,
            path=path,
            permission=BlobSasPermissions(read=True),
            expires_at=datetime.now(UTC).replace(microsecond=0) + lifetime,
            file_name=file_name,
        )
        return self._signed(grant)

    def url(self, container: blobs.Container, path: str) -> str:
        return str(self._client(container, path).url)

    def ping(self) -> None:
        container = self._service.get_container_client(blobs.Container.RESULTS)
        try:
            with _translated(blobs.Container.RESULTS, ""):
                container.get_container_properties(
                    retry_total=0, connection_timeout=_PING_LIMIT_SECONDS, read_timeout=_PING_LIMIT_SECONDS
                )
        except errors.BlobMissingError as error:
            raise errors.BlobsUnavailableError("Blob storage has no container `results`.") from error

    def _delete(self, container: blobs.Container, path: str) -> bool:
        # One by one: a batch fails as a whole for a blob that somebody else has deleted.
        with _translated(container, path), contextlib.suppress(exceptions.ResourceNotFoundError):
            self._client(container, path).delete_blob(delete_snapshots="include")
            return True
        return False

    def _download(self, reference: blobs.BlobReference) -> bytes:
        conditions: dict[str, Any] = {}
        if reference.etag is not None:
            conditions = {"etag": reference.etag, "match_condition": MatchConditions.IfNotModified}
        with _translated(reference.container, reference.path):
            client = self._client(reference.container, reference.path)
            return bytes(client.download_blob(**conditions).readall())

    def _client(self, container: blobs.Container, path: str) -> BlobClient:
        return self._service.get_blob_client(container, path)

    def _signed(self, grant: blobs_signing.Grant) -> str:
        with _translated(blobs.Container(grant.container), grant.path):
            return (
                f"{self._service.get_blob_client(grant.container, grant.path).url}?{self._signer.sign(grant)}"
            )


def connect(read: settings.Settings) -> AzureBlobStore:
    """No connection is made before the first use. An outage is an error after half a minute at most."""
    options: dict[str, Any] = {
        "connection_timeout": _CONNECT_LIMIT_SECONDS,
        "read_timeout": _READ_LIMIT_SECONDS,
        # The SDK's own policy waits 15 s before its first retry.
        "retry_policy": ExponentialRetry(initial_backoff=1, increment_base=1, retry_total=2),
    }
    if read.azure_storage_connection_string is not None:
        secret = read.azure_storage_connection_string.get_secret_value()
        service = BlobServiceClient.from_connection_string(secret, **options)
        signer = blobs_signing.AccountKeySigner(
            account_name=str(service.account_name), account_key=str(service.credential.account_key)
        )
        return AzureBlobStore(service, signer, owns_containers=True, cors_origins=read.cors_origins)
    from azure.identity import DefaultAzureCredential

    service = BlobServiceClient(str(read.storage_account_url), DefaultAzureCredential(), **options)
    return AzureBlobStore(service, blobs_signing.UserDelegationSigner(service), owns_containers=False)


def _cors_rule(origins: Sequence[str]) -> CorsRule:
    """What a page needs that uploads to, and reads from, URLs that it was given."""
    return CorsRule(
        allowed_origins=list(origins),
        allowed_methods=["GET", "HEAD", "PUT"],
        allowed_headers=["*"],
        exposed_headers=["etag", "x-ms-*"],
        max_age_in_seconds=3600,
    )


def _place(reference: blobs.BlobReference) -> str:
    return f"{reference.container}/{reference.path}"


@contextlib.contextmanager
def _translated(container: str, path: str) -> Iterator[None]:
    try:
        yield
    except exceptions.HttpResponseError as error:
        raise _translate(error, container, path) from error
    except exceptions.AzureError as error:
        # Nobody answered, or not to the end.
        raise errors.BlobsUnavailableError from error


def _translate(error: exceptions.HttpResponseError, container: str, path: str) -> errors.BlobError:
    place = f"{container}/{path}"
    if error.status_code == 404:
        return errors.BlobMissingError(f"There is no blob {place}.")
    if error.status_code in (304, 412):
        return errors.BlobChangedError(f"{place} is no longer the version that was pinned.")
    if error.status_code == 409:
        return errors.BlobExistsError(f"{place} was there already; it was not overwritten.")
    return errors.BlobsUnavailableError(f"Blob storage answered {error.status_code} for {place}.")


def _facts(container: blobs.Container, path: str, found: BlobProperties) -> BlobFacts:
    return BlobFacts(
        reference=blobs.BlobReference(
            container=container,
            path=path,
            etag=str(found.etag),
            content_hash=(found.metadata or {}).get(HASH_METADATA) if container in _OURS else None,
            size_bytes=int(found.size),
        ),
        size_bytes=int(found.size),
        content_type=str(found.content_settings.content_type or "application/octet-stream"),
        last_modified=found.last_modified,
    )


_OURS: Final = frozenset({blobs.Container.WORK, blobs.Container.RESULTS})
"""Written by us alone: what an uploader says of the hash of an upload is not believed."""
