"""The blob as a function sees it: what the listing knows at once, the content when it is read."""

from __future__ import annotations

import json
from typing import Any

from azure.core import MatchConditions
from azure.functions import blob as sdk_blob
from azure.functions import meta
from azure.storage.blob import BlobClient, BlobProperties, StorageStreamDownloader


class LazyInputStream(sdk_blob.InputStream):
    """An InputStream that downloads nothing until somebody reads.

    The worker holds the whole content in memory before the function begins; a recording of hours would cost
    gigabytes that no function here looks at. Reading blocks, so an async function should use the storage SDK.
    """

    def __init__(self, described: sdk_blob.InputStream, client: BlobClient, etag: str) -> None:
        super().__init__(
            data=b"",
            name=described.name,
            uri=described.uri,
            length=described.length,
            blob_properties=described.blob_properties,
            metadata=described.metadata,
        )
        self._client = client
        self._etag = etag
        self._download: StorageStreamDownloader[bytes] | None = None

    def read(self, size: int | None = -1) -> bytes:
        """Up to `size` bytes, all that is left by default; pinned to the version that fired the trigger."""
        if self._download is None:
            self._download = self._client.download_blob(
                etag=self._etag, match_condition=MatchConditions.IfNotModified
            )
        return self._download.read(-1 if size is None else size)

    read1 = read


def bind(properties: BlobProperties, client: BlobClient) -> LazyInputStream:
    """Through the SDK's converter, with the trigger metadata that the real host sends."""
    metadata = {
        "BlobTrigger": meta.Datum(f"{properties.container}/{properties.name}", "string"),
        "Uri": meta.Datum(client.url, "string"),
        "Properties": meta.Datum(json.dumps(_described(properties)), "json"),
        "Metadata": meta.Datum(json.dumps(properties.metadata or {}), "json"),
    }
    described = sdk_blob.BlobConverter.decode(meta.Datum(b"", "bytes"), trigger_metadata=metadata)
    # The converter reads a length of 0 as "unknown".
    described._length = properties.size  # noqa: SLF001 # the class has no other way to say it
    return LazyInputStream(described, client, str(properties.etag))


def _described(properties: BlobProperties) -> dict[str, Any]:
    return {
        "ContentLength": properties.size,
        "ContentType": properties.content_settings.content_type,
        # Quoted, as the REST API and If-Match have it; listings leave the quotes out.
        "ETag": f'"{str(properties.etag).strip(chr(34))}"',
        "LastModified": properties.last_modified.isoformat(),
        "CreatedOn": properties.creation_time.isoformat(),
    }
