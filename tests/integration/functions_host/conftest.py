"""One storage for all, emptied where it matters; one folder per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from tests.integration import azurite_process
from tests.integration.functions_host import sample_app


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[azurite_process.AzuriteProcess]:
    with azurite_process.running_azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture
def blobs(azurite: azurite_process.AzuriteProcess) -> Iterator[BlobServiceClient]:
    """The sample app's containers, empty."""
    with BlobServiceClient.from_connection_string(azurite.connection_string) as service:
        for name in (sample_app.UPLOADS, sample_app.DROPS):
            container = service.get_container_client(name)
            if not container.exists():
                container.create_container()
            for blob in container.list_blob_names():
                container.delete_blob(blob)
        yield service


@pytest.fixture
def folder(tmp_path: Path, azurite: azurite_process.AzuriteProcess) -> sample_app.Folder:
    return sample_app.Folder(path=tmp_path, azurite=azurite)
