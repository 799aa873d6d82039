"""Blob functions against a real Azurite, across killed hosts."""

from __future__ import annotations

import contextlib
import http.server
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from azure.storage.blob import BlobServiceClient

from local_stack.functions_host import receipts
from tests.integration import azurite_process
from tests.integration.functions_host import host_process, sample_app

wait_for = host_process.wait_for


def put(blobs: BlobServiceClient, container: str, name: str, content: bytes) -> None:
    blobs.get_blob_client(container, name).upload_blob(content, overwrite=True)


def names(folder: sample_app.Folder) -> list[str]:
    return [note["name"] for note in folder.notes.of("dropped")]


def test_each_version_fires_once_and_only_matching_names(
    folder: sample_app.Folder, blobs: BlobServiceClient
) -> None:
    put(blobs, sample_app.UPLOADS, "t1/j1/source", b"")
    put(blobs, sample_app.UPLOADS, "t1/j1/other", b"never")
    put(blobs, sample_app.DROPS, "before.wav", b"x")
    with host_process.running_host(folder.settings()):
        put(blobs, sample_app.DROPS, "after.wav", b"x")
        put(blobs, sample_app.UPLOADS, "t2/j2/source", b"hello")
        wait_for(lambda: len(folder.notes.of("uploaded")) == 2 and len(names(folder)) == 2)
        put(blobs, sample_app.UPLOADS, "t2/j2/source", b"again and more")
        wait_for(lambda: len(folder.notes.of("uploaded")) == 3)
        # Everything has been listed again and again by now; one more blob shows that nothing else is to come.
        put(blobs, sample_app.DROPS, "last.wav", b"x")
        wait_for(lambda: "drop-folder/last.wav" in names(folder))
    uploaded = folder.notes.of("uploaded")
    assert {note["name"] for note in uploaded} == {"uploads/t1/j1/source", "uploads/t2/j2/source"}
    assert [(n["length"], n["first"], n["rest"]) for n in uploaded if "t2" in n["name"]] == [
        (5, "hel", "lo"),
        (14, "aga", "in and more"),
    ]
    assert [(n["length"], n["first"], n["rest"]) for n in uploaded if "t1" in n["name"]] == [(0, "", "")]
    assert sorted(names(folder)) == [
        "drop-folder/after.wav",
        "drop-folder/before.wav",
        "drop-folder/last.wav",
    ]


def test_failing_blob_is_tried_five_times_then_put_aside_for_good(
    folder: sample_app.Folder, blobs: BlobServiceClient
) -> None:
    put(blobs, sample_app.DROPS, "bad.wav", b"x")
    with host_process.running_host(folder.settings()) as host:
        wait_for(lambda: host.counts()["put_aside_blobs"])
        (aside,) = host.counts()["put_aside_blobs"]
        assert (aside["function"], aside["blob"], aside["attempts"]) == ("dropped_file", "bad.wav", 5)
        assert aside["error"] == "ValueError: this blob always fails"
        assert host.counts()["functions"]["dropped_file"]["put_aside"] == 1
        (event,) = host.events("blob_put_aside")
        assert (event["container"], event["blob"]) == (sample_app.DROPS, "bad.wav")
        assert len(names(folder)) == 5
        host.kill()
    with host_process.running_host(folder.settings()) as host:
        assert host.counts()["put_aside_blobs"] == [aside]
        put(blobs, sample_app.DROPS, "good.wav", b"x")
        wait_for(lambda: "drop-folder/good.wav" in names(folder))
    assert names(folder).count("drop-folder/bad.wav") == 5


def test_failure_whose_words_have_no_utf_8_is_put_aside_like_any_other(
    folder: sample_app.Folder, blobs: BlobServiceClient
) -> None:
    put(blobs, sample_app.DROPS, "bad half.wav", b"x")
    with host_process.running_host(folder.settings()) as host:
        wait_for(lambda: host.counts()["put_aside_blobs"])
        (aside,) = host.counts()["put_aside_blobs"]
        assert (aside["attempts"], aside["error"]) == (5, r"ValueError: this blob always fails \ud83d")


@contextlib.contextmanager
def host_database(folder: sample_app.Folder) -> Iterator[sqlite3.Connection]:
    file = folder.path / "database" / "host.sqlite"
    with contextlib.closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as connection:
        yield connection


def test_full_disk_holds_a_blob_up_and_its_function_is_not_called_again_for_it(
    folder: sample_app.Folder, blobs: BlobServiceClient
) -> None:
    def states() -> list[Any]:
        return database.execute("SELECT blob, state, attempts FROM blob_receipts").fetchall()

    with host_process.running_host(folder.settings()) as host, host_database(folder) as database:
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON blob_receipts WHEN new.state = 'done'"
            " BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
        put(blobs, sample_app.DROPS, "a.wav", b"x")
        (event,) = wait_for(lambda: host.events("blob_receipt_not_stored"))[:1]
        assert (event["blob"], "disk is full" in event["problem"]) == ("a.wav", True)
        assert states() == [("a.wav", receipts.State.PENDING, 1)]
        database.execute("DROP TRIGGER full")
        wait_for(lambda: states() == [("a.wav", receipts.State.DONE, 1)])
    assert names(folder) == ["drop-folder/a.wav"]


class EmptyAnswers(http.server.BaseHTTPRequestHandler):
    """A service that says 200 to everything, and nothing else."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_answer_that_is_no_listing_ends_no_host(folder: sample_app.Folder) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), EmptyAnswers) as server:
        threading.Thread(target=server.serve_forever).start()
        here = f"BlobEndpoint=http://127.0.0.1:{server.server_port}/a;AccountName=a;AccountKey=YQ=="
        with host_process.running_host(folder.settings(STORAGE=here)) as host:
            wait_for(lambda: len(host.events("blob_container_not_listed")) == 2, what="both containers")
            assert host.terminate() == 0
        server.shutdown()


def kill_host_with_blob_in_hand(
    folder: sample_app.Folder, settings: Mapping[str, str], *, attempt: int
) -> None:
    with host_process.running_host(settings) as host:
        wait_for(lambda: names(folder).count("drop-folder/hang.wav") == attempt)
        wait_for(lambda: "drop-folder/done.wav" in names(folder))
        wait_for(lambda: host.counts()["functions"]["dropped_file"]["in_flight"] == 1)
        host.kill()


def test_killed_host_forgets_no_receipt_and_tries_again_what_it_had_in_hand(
    folder: sample_app.Folder, blobs: BlobServiceClient
) -> None:
    put(blobs, sample_app.DROPS, "done.wav", b"x")
    put(blobs, sample_app.DROPS, "hang.wav", b"x")
    timeout = {"AzureFunctionsJobHost__functionTimeout": "-1"}
    threshold = {"AzureFunctionsJobHost__extensions__blobs__poisonBlobThreshold": "2"}
    settings = folder.settings(**timeout, **threshold)
    kill_host_with_blob_in_hand(folder, settings, attempt=1)
    kill_host_with_blob_in_hand(folder, settings, attempt=2)
    # A blob that ends the host on every attempt is put aside like any other.
    with host_process.running_host(settings) as host:
        wait_for(lambda: host.counts()["put_aside_blobs"])
        (aside,) = host.counts()["put_aside_blobs"]
        assert (aside["blob"], aside["attempts"]) == ("hang.wav", 2)
    assert names(folder).count("drop-folder/done.wav") == 1


def test_missing_container_is_said_once_and_served_when_it_comes(
    folder: sample_app.Folder, blobs: BlobServiceClient
) -> None:
    with host_process.running_host(folder.settings(DROP_CONTAINER="comes-later")) as host:
        wait_for(lambda: host.events("blob_container_not_listed"))
        blobs.create_container("comes-later").upload_blob("a.wav", b"x")
        wait_for(lambda: names(folder) == ["comes-later/a.wav"])
        (event,) = host.events("blob_container_not_listed")
    assert (event["container"], event["problem"]) == ("comes-later", "the container does not exist")


def test_storage_that_goes_away_and_comes_back_is_served_again(tmp_path: Path) -> None:
    with azurite_process.running_azurite(tmp_path / "azurite") as first:
        folder = sample_app.Folder(path=tmp_path, azurite=first)
        with BlobServiceClient.from_connection_string(first.connection_string) as service:
            service.create_container(sample_app.DROPS)
        with host_process.running_host(folder.settings()) as host:
            first.terminate()
            wait_for(lambda: any("Error" in e["problem"] for e in host.events("blob_container_not_listed")))
            with azurite_process.running_azurite(tmp_path / "azurite", port=first.port) as second:
                with BlobServiceClient.from_connection_string(second.connection_string) as service:
                    put(service, sample_app.DROPS, "after.wav", b"x")
                wait_for(lambda: names(folder) == ["drop-folder/after.wav"])
