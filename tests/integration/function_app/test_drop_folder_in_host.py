"""The drop folder and jobs of texts in the real host, over real servers and a scripted language model."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.storage.blob import BlobServiceClient

from contracts import events, messages, queues
from contracts.errors import ErrorCode
from local_stack import postgres
from tests.fakes import language_model_server as fake
from tests.integration import azurite_process, broker_process
from tests.integration.functions_host import host_process

pytestmark = pytest.mark.acceptance_long

CONFIG = host_process.REPOSITORY / "local_stack" / "Config.json"


@dataclass(frozen=True, kw_only=True)
class Around:
    """Everything around the host, which tests start and kill."""

    settings: Mapping[str, str]
    storage: BlobServiceClient
    service_bus: ServiceBusClient
    model: fake.Server

    @contextlib.contextmanager
    def host(self, **more: str) -> Iterator[host_process.HostProcess]:
        settings = {**self.settings, **more}
        with host_process.running_host(settings, root=host_process.REPOSITORY) as host:
            host_process.wait_for(
                lambda: httpx.get(f"{host.base_url}/ready", timeout=60).status_code == 200, limit_seconds=60
            )
            yield host

    def drop(self, path: str, data: bytes = b"fLaC") -> None:
        self.storage.get_blob_client("drop-folder", path).upload_blob(data, overwrite=True)

    def answer(self, path: str, kind: str, *, text: str = "") -> dict[str, Any]:
        """The receipt or rejection of a dropped file, once it is there and holds `text`."""

        def look() -> dict[str, Any] | None:
            container = self.storage.get_container_client("results")
            for name in container.list_blob_names(name_starts_with=f"default/drop-folder/{path}/{kind}-"):
                data = container.download_blob(name).readall()
                if name.endswith(".json") and text in data.decode():
                    found: dict[str, Any] = json.loads(data)
                    return found
            return None

        found: dict[str, Any] = host_process.wait_for(look, limit_seconds=60, what=f"{kind} of {path}")
        return found

    def rows(self, path: str) -> list[str]:
        """What the store says of the file's versions."""
        with psycopg.connect(self.settings["DATABASE_URL"]) as connection:
            found = connection.execute("SELECT status FROM dropped_files WHERE path = %s", [path])
            return [str(status) for (status,) in found]

    def refuse(self, job_id: str) -> messages.StepRequest:
        """Plays the worker: this is no audio."""
        with self.service_bus.get_queue_receiver(queues.Queue.LID_JOBS) as receiver:
            (message,) = receiver.receive_messages(max_wait_time=60)
            request = messages.StepRequest.model_validate_json(b"".join(message.body))
            receiver.complete_message(message)
        assert request.job_id == job_id
        event = events.StepFinished(
            **request.model_dump(include={"tenant_id", "job_id", "run", "step", "attempt", "reply_to"}),
            outcome=events.Failed(code=ErrorCode.NOT_AUDIO, message="No audio.", retryable=False),
            finished_at=datetime.now(UTC),
        )
        with self.service_bus.get_queue_sender(queues.Queue.JOB_EVENTS) as sender:
            sender.send_messages(ServiceBusMessage(event.model_dump_json()))
        return request


@pytest.fixture(scope="module")
def around(
    tmp_path_factory: pytest.TempPathFactory,
    database_url: str,
    azurite: azurite_process.AzuriteProcess,
    postgres_server: postgres.PostgresProcess,
) -> Iterator[Around]:
    directory: Path = tmp_path_factory.mktemp("app")
    with (
        broker_process.running_broker(CONFIG, directory / "broker") as broker,
        ServiceBusClient.from_connection_string(broker.connection_string) as service_bus,
        BlobServiceClient.from_connection_string(azurite.connection_string) as storage,
        fake.serve() as model,
    ):
        settings = {
            "DATABASE_URL": database_url,
            "AzureWebJobsStorage": azurite.connection_string,
            "SERVICE_BUS_CONNECTION_STRING": broker.connection_string,
            "FUNCTIONS_HOST_DATABASE_DIR": str(directory / "host"),
            "LANGUAGE_MODEL_BASE_URL": model.base_url,
            "DROP_FOLDER_SETTLE_SECONDS": "1",
        }
        yield Around(settings=settings, storage=storage, service_bus=service_bus, model=model)


@pytest.fixture(scope="module")
def host(around: Around) -> Iterator[host_process.HostProcess]:
    with around.host() as running:
        yield running


def test_file_that_settles_when_its_host_is_killed_becomes_one_job(around: Around) -> None:
    with around.host(DROP_FOLDER_SETTLE_SECONDS="600") as first:
        around.drop("killed/a.flac")
        host_process.wait_for(
            lambda: around.rows("killed/a.flac") == ["settling"], limit_seconds=60, what="the file's row"
        )
        first.kill()
    with around.host() as second:
        receipt = around.answer("killed/a.flac", "receipt")
        found = httpx.get(f"{second.base_url}/jobs", timeout=30).json()["jobs"]
        assert [job["job_id"] for job in found] == [receipt["job_id"]]
        around.refuse(receipt["job_id"])
        around.answer("killed/a.flac", "receipt", text='"failed"')
        assert around.rows("killed/a.flac") == ["taken"]


def test_dropped_file_and_its_manifest_become_a_job_whose_worker_reads_it_in_the_folder(
    around: Around, host: host_process.HostProcess
) -> None:
    around.drop("team a/meeting ä.flac.job.json", b'{"metadata": {"case": "4711"}, "priority": "bulk"}')
    around.drop("team a/meeting ä.flac")
    receipt = around.answer("team a/meeting ä.flac", "receipt")
    job = httpx.get(f"{host.base_url}/jobs/{receipt['job_id']}", timeout=30).json()
    assert (job["file_name"], job["priority"], job["metadata"]["case"]) == ("meeting ä.flac", "bulk", "4711")
    request = around.refuse(receipt["job_id"])
    source = request.inputs[messages.InputName.SOURCE]
    assert (source.container, source.path) == ("drop-folder", "team a/meeting ä.flac")
    properties = around.storage.get_blob_client("drop-folder", source.path).get_blob_properties()
    assert source.etag == properties.etag
    ended = around.answer("team a/meeting ä.flac", "receipt", text='"failed"')
    assert ended["error"]["message"] == "No audio."


@pytest.mark.usefixtures("host")
def test_bad_manifest_is_rejected_and_its_correction_is_taken(around: Around) -> None:
    around.drop("b.flac.job.json", b'{"langauge": "en"}')
    around.drop("b.flac")
    rejection = around.answer("b.flac", "rejection")["rejection"]
    assert rejection["code"] == "manifest_unknown_option"
    around.drop("b.flac.job.json", b'{"source_language": "en"}')
    around.refuse(around.answer("b.flac", "receipt")["job_id"])


def test_text_is_translated_and_summarised_from_the_job_before(
    around: Around, host: host_process.HostProcess
) -> None:
    with httpx.Client(base_url=host.base_url, timeout=60) as http:

        def ended(**body: Any) -> dict[str, Any]:
            answer = http.post("/jobs", json=body)
            assert answer.status_code == 201, answer.text
            job_id = answer.json()["job_id"]
            host_process.wait_for(
                lambda: http.get(f"/jobs/{job_id}").json()["finished_at"], limit_seconds=60, what="the end"
            )
            found: dict[str, Any] = http.get(f"/jobs/{job_id}/results").json()
            return found

        lines = [{"start": 0, "end": 2, "text": "Hola a todos."}, {"start": 2, "end": 4, "text": "Adiós."}]
        first = ended(workflow="translate_only", transcript=lines, source_language="es")
        assert first["status"] == "completed"
        assert first["translation"]["text"] == "[en] Hola a todos. [en] Adiós."
        assert first["translation"]["segments"][1]["start"] == 2
        second = ended(workflow="summarize_only", source_job_id=first["job_id"])
        assert (second["status"], second["language"]) == ("completed", "es")
        assert second["summary"]["text"] == "Hola a todos. Adiós."
        assert httpx.get(second["files"]["transcript.srt"]).text.startswith("1\n00:00:00,000")
