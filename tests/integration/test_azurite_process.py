"""The storage that the other integration tests stand on."""

from __future__ import annotations

import time
from pathlib import Path

from azure.storage.blob import BlobServiceClient

from tests.integration import azurite_process


def test_blob_survives_sigterm_and_restart_at_the_same_port(tmp_path: Path) -> None:
    with azurite_process.running_azurite(tmp_path) as first:
        with BlobServiceClient.from_connection_string(first.connection_string) as service:
            service.create_container("things").upload_blob("a/b", b"kept")
        first.terminate()
        with azurite_process.running_azurite(tmp_path, port=first.port) as second:
            assert second.port == first.port
            with BlobServiceClient.from_connection_string(second.connection_string) as service:
                assert service.get_blob_client("things", "a/b").download_blob().readall() == b"kept"


def test_blob_survives_signals_that_come_again_while_it_is_written(tmp_path: Path) -> None:
    with azurite_process.running_azurite(tmp_path) as first:
        with BlobServiceClient.from_connection_string(first.connection_string) as service:
            service.create_container("things").upload_blob("a/b", b"kept")
        while first.process.poll() is None:
            first.process.terminate()
            time.sleep(0.001)
    with (
        azurite_process.running_azurite(tmp_path) as second,
        BlobServiceClient.from_connection_string(second.connection_string) as service,
    ):
        assert service.get_blob_client("things", "a/b").download_blob().readall() == b"kept"
