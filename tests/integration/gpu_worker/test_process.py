"""`python -m gpu_worker` as it is deployed: a message in, a result blob and an event out, a calm end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.storage.blob import BlobServiceClient

from contracts import blobs, events, queues, results
from gpu_worker import models
from tests.integration import azurite_process, broker_process
from tests.integration.gpu_worker import chunks
from worker_kit.azure_blobs import AzureBlobStore

_ROOT = Path(__file__).resolve().parents[3]
_EVENT_SECONDS = 60
_STOP_SECONDS = 20


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[broker_process.BrokerProcess]:
    config = _ROOT / "local_stack" / "Config.json"
    with broker_process.running_broker(config, tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="module")
def storage(azurite: azurite_process.AzuriteProcess) -> Iterator[BlobServiceClient]:
    with BlobServiceClient.from_connection_string(azurite.connection_string) as client:
        for container in blobs.Container:
            client.create_container(container)
        yield client


@pytest.fixture
def worker(
    azurite: azurite_process.AzuriteProcess,
    storage: BlobServiceClient,
    broker: broker_process.BrokerProcess,
    tmp_path: Path,
) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string,
        "SERVICE_BUS_CONNECTION_STRING": broker.connection_string,
        "WHISPER_MODEL": str(chunks.WHISPER),
        "WHISPER_DEVICE": "cpu",
        "WORKSPACE_DIR": str(tmp_path),
    }
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gpu_worker"], cwd=_ROOT, env=environment, stdout=log, stderr=log
        )
        yield process
        if process.poll() is None:
            process.kill()
        process.wait()


def _answer(client: ServiceBusClient) -> events.StepFinished:
    with client.get_queue_receiver(queues.Queue.JOB_EVENTS) as receiver:
        received = receiver.receive_messages(max_message_count=1, max_wait_time=_EVENT_SECONDS)
        assert received, "no event came"
        receiver.complete_message(received[0])
        return events.StepFinished.model_validate_json(b"".join(received[0].body))


def test_a_chunk_goes_in_and_its_transcript_comes_out(
    worker: subprocess.Popen[bytes],
    storage: BlobServiceClient,
    broker: broker_process.BrokerProcess,
    whisper: models.ResolvedModel,
    tmp_path: Path,
) -> None:
    store = AzureBlobStore(storage)
    request = chunks.request(store, whisper, chunks.read_sample("cantonese.flac"), language="yue")
    with ServiceBusClient.from_connection_string(broker.connection_string) as client:
        with client.get_queue_sender(queues.Queue.WHISPER_JOBS) as sender:
            sender.send_messages(ServiceBusMessage(request.model_dump_json(), message_id="one"))
        answer = _answer(client)
    assert isinstance(answer.outcome, events.Completed), answer.outcome
    assert answer.reply_to == request.reply_to
    assert (answer.usage.engine, answer.usage.model) == ("whisper", whisper.model)
    transcript = results.ChunkTranscript.model_validate_json(store.read(answer.outcome.result))
    assert (
        "".join(each.text for each in transcript.segments) == chunks.samples_json()["cantonese.flac"]["text"]
    )
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(_STOP_SECONDS) == 0, (tmp_path / "worker.log").read_text(encoding="utf-8")


def test_a_model_that_is_nowhere_ends_the_process_with_a_plain_reason(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "AZURE_STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true",
        "SERVICE_BUS_CONNECTION_STRING": "Endpoint=sb://localhost;SharedAccessKeyName=n;SharedAccessKey=k;",
        "WHISPER_MODEL": str(tmp_path),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "gpu_worker"],
        cwd=_ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "model_unavailable" in ended.stdout
    assert "config.json" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr
