"""The worker as it runs: a process of its own, real storage, a real broker, real signals."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.storage.blob import BlobServiceClient

from contracts import blobs, events, identity, messages, queues, results
from contracts.errors import ErrorCode
from contracts.params import LidEngine
from lid_worker import models
from tests.integration import azurite_process, broker_process
from tests.integration.worker_kit import worker_process
from tests.unit.lid_worker import sounds, steps_bench

SPOKEN = {"english.flac": "en", "spanish.flac": "es", "mandarin.flac": "zh", "cantonese.flac": "yue"}
GATED_WORKER = "tests.integration.lid_worker.gated_worker"


class FunctionApp:
    """What the function app is to the worker: uploads, requests, events."""

    def __init__(self, storage: azurite_process.AzuriteProcess, broker: broker_process.BrokerProcess) -> None:
        self.broker = broker
        self._blobs = BlobServiceClient.from_connection_string(storage.connection_string)
        self._bus = ServiceBusClient.from_connection_string(broker.connection_string)

    def close(self) -> None:
        self._blobs.close()
        self._bus.close()

    def upload(self, job_id: str, data: bytes) -> blobs.BlobReference:
        path = blobs.source_path(tenant_id=steps_bench.TENANT, job_id=job_id)
        answer = self._blobs.get_blob_client(blobs.Container.AUDIO_FILES, path).upload_blob(data)
        return blobs.BlobReference(container=blobs.Container.AUDIO_FILES, path=path, etag=str(answer["etag"]))

    def send(self, request: messages.StepRequest) -> None:
        message_id = identity.message_id(
            job_id=request.job_id, run=request.run, step=request.step, chunk=None, attempt=request.attempt
        )
        self.send_raw(request.model_dump_json(), message_id)

    def send_raw(self, body: str, message_id: str) -> None:
        with self._bus.get_queue_sender(queues.Queue.LID_JOBS) as sender:
            sender.send_messages(ServiceBusMessage(body, message_id=message_id))

    def event(self, *, within_seconds: float = 60.0) -> events.StepFinished:
        with self._bus.get_queue_receiver(queues.Queue.JOB_EVENTS) as receiver:
            (message,) = receiver.receive_messages(max_message_count=1, max_wait_time=within_seconds)
            receiver.complete_message(message)
        return events.StepFinished.model_validate_json(str(message))

    def counts(self, queue: queues.Queue) -> dict[str, int]:
        answer = httpx.get(self.broker.counts_url).json()
        counts: dict[str, int] = answer["queues"][queue]
        return counts

    def read_plan(self, reference: blobs.BlobReference) -> results.ChunkPlan:
        blob = self._blobs.get_blob_client(reference.container, reference.path)
        return results.ChunkPlan.model_validate_json(blob.download_blob().readall())

    def chunk_paths(self, job_id: str) -> list[str]:
        prefix = blobs.work_prefix(tenant_id=steps_bench.TENANT, job_id=job_id)
        return list(
            self._blobs.get_container_client(blobs.Container.WORK).list_blob_names(name_starts_with=prefix)
        )

    def cancel(self, job_id: str) -> None:
        path = blobs.cancel_marker_path(tenant_id=steps_bench.TENANT, job_id=job_id, run=1)
        self._blobs.get_blob_client(blobs.Container.WORK, path).upload_blob(b"")


@pytest.fixture(scope="module")
def app(
    storage: azurite_process.AzuriteProcess, broker: broker_process.BrokerProcess
) -> Iterator[FunctionApp]:
    opened = FunctionApp(storage, broker)
    yield opened
    opened.close()


@pytest.fixture
def worker(
    storage: azurite_process.AzuriteProcess, broker: broker_process.BrokerProcess, tmp_path: Path
) -> Iterator[worker_process.WorkerProcess]:
    """Without a model, so that it starts quickly."""
    with running(storage, broker, tmp_path, LID_ENGINE="assume_english") as process:
        yield process


@contextlib.contextmanager
def running(
    storage: azurite_process.AzuriteProcess,
    broker: broker_process.BrokerProcess,
    folder: Path,
    *,
    module: str = "lid_worker",
    **environment: str,
) -> Iterator[worker_process.WorkerProcess]:
    quick = {
        "READY_CHECK_SECONDS": "0.5",
        "RECEIVE_WAIT_SECONDS": "1",
        "WORKSPACE_DIR": str(folder / "space"),
    }
    with worker_process.running_worker(
        module,
        storage=storage,
        broker=broker,
        log_path=folder / "worker.log",
        environment={**quick, **environment},
    ) as process:
        yield process


@dataclass(frozen=True, kw_only=True)
class WorkInHand:
    """A worker that is in the middle of preparing a recording until `finish`."""

    worker: worker_process.WorkerProcess
    gate: Path

    def finish(self) -> None:
        self.gate.touch()


@contextlib.contextmanager
def working(
    app: FunctionApp,
    storage: azurite_process.AzuriteProcess,
    job_id: str,
    folder: Path,
    **environment: str,
) -> Iterator[WorkInHand]:
    gate = folder / "gate"
    with running(
        storage,
        app.broker,
        folder,
        module=GATED_WORKER,
        LID_ENGINE="assume_english",
        GATE=str(gate),
        **environment,
    ) as worker:
        app.send(prepare_request(app, job_id, (sounds.SAMPLES / "english.flac").read_bytes()))
        worker.wait_until_logged("at_the_gate")
        yield WorkInHand(worker=worker, gate=gate)


def prepare_request(app: FunctionApp, job_id: str, data: bytes) -> messages.StepRequest:
    return _of_job(steps_bench.prepare_request(app.upload(job_id, data)), job_id)


def _of_job(request: messages.StepRequest, job_id: str) -> messages.StepRequest:
    path = blobs.step_result_path(
        tenant_id=steps_bench.TENANT, job_id=job_id, step=request.step, key=request.result.key
    )
    result = request.result.model_copy(update={"path": path})
    return request.model_copy(update={"job_id": job_id, "result": result})


def completed(event: events.StepFinished) -> events.Completed:
    assert isinstance(event.outcome, events.Completed), event.outcome
    return event.outcome


def test_worker_prepares_and_names_the_language_of_every_sample(
    app: FunctionApp,
    storage: azurite_process.AzuriteProcess,
    broker: broker_process.BrokerProcess,
    tmp_path: Path,
) -> None:
    model = models.resolve("auto", str(sounds.LID_MODEL))
    with running(storage, broker, tmp_path, LID_MODEL=str(sounds.LID_MODEL)) as worker:
        for name in SPOKEN:
            app.send(prepare_request(app, name, (sounds.SAMPLES / name).read_bytes()))
        plans = {}
        for _ in SPOKEN:
            event = app.event()
            plans[event.job_id] = completed(event).result
        for name, plan in plans.items():
            wanted = steps_bench.lid_request(
                plan, engine=LidEngine.TRANSFORMERS, model=model.model, revision=model.revision
            )
            app.send(_of_job(wanted, name))
        found = {}
        for _ in SPOKEN:
            event = app.event()
            facts = completed(event).facts
            assert isinstance(facts, events.LidFacts)
            found[event.job_id] = facts.language
        assert found == SPOKEN
        assert worker.terminate() == 0
    assert app.counts(queues.Queue.LID_JOBS)["active"] == 0


def test_bad_input_is_answered_and_the_broker_may_go_away_in_between(
    app: FunctionApp, worker: worker_process.WorkerProcess, broker: broker_process.BrokerProcess
) -> None:
    app.send_raw("{}", "poison")
    app.send(prepare_request(app, "text", b"This is no sound.\n" * 100))
    failed = app.event().outcome
    assert isinstance(failed, events.Failed)
    assert (failed.code, failed.retryable) == (ErrorCode.NOT_AUDIO, False)
    worker_process.wait_until(
        lambda: app.counts(queues.Queue.LID_JOBS)["dead_letter"] == 1, within_seconds=10, what="dead letter"
    )
    broker.kill()
    worker_process.wait_until(
        lambda: worker.ready().get("checks", {}).get("queue", "ok") != "ok",
        within_seconds=60,
        what="the outage in /ready",
    )
    broker.restart()
    worker.wait_until_ready()
    app.send(prepare_request(app, "afterwards", (sounds.SAMPLES / "english.flac").read_bytes()))
    assert app.event().job_id == "afterwards"


def test_worker_killed_in_the_middle_is_replaced_and_the_work_done_once(
    app: FunctionApp, storage: azurite_process.AzuriteProcess, tmp_path: Path
) -> None:
    with working(app, storage, "killed", tmp_path) as work:
        written = app.chunk_paths("killed")
        (left_behind,) = (tmp_path / "space").iterdir()
        work.worker.kill()
        work.finish()
        work.worker.start()
        event = app.event()
        assert not completed(event).reused
        plan = app.read_plan(completed(event).result)
        assert written == app.chunk_paths("killed") == [chunk.audio.path for chunk in plan.chunks]
        assert [line["delivery_count"] for line in work.worker.logged("redelivered")] == [1]
        assert not left_behind.exists()
        assert work.worker.terminate() == 0
    assert app.counts(queues.Queue.LID_JOBS)["active"] == 0
    assert app.counts(queues.Queue.JOB_EVENTS)["active"] == 0


def test_sigterm_finishes_the_work_in_hand_and_leaves_the_rest(
    app: FunctionApp, storage: azurite_process.AzuriteProcess, tmp_path: Path
) -> None:
    with working(app, storage, "drained", tmp_path, MAX_CONCURRENT_STEPS="1") as work:
        app.send(prepare_request(app, "left", (sounds.SAMPLES / "spanish.flac").read_bytes()))
        work.worker.ask_to_stop()
        work.finish()
        assert work.worker.wait_until_ended() == 0
        assert app.event(within_seconds=5).job_id == "drained"
        assert [line["outcome"] for line in work.worker.logged("attempt_ended")] == ["completed"]
        assert app.counts(queues.Queue.LID_JOBS)["active"] == 1
        work.worker.start()
        assert app.event().job_id == "left"


def test_sigterm_gives_back_what_takes_too_long(
    app: FunctionApp, storage: azurite_process.AzuriteProcess, tmp_path: Path
) -> None:
    with working(app, storage, "given-back", tmp_path, DRAIN_SECONDS="0") as work:
        assert work.worker.terminate() == 0
        assert work.worker.logged("work_abandoned")
        assert not work.worker.logged("attempt_ended")
        assert app.counts(queues.Queue.LID_JOBS)["active"] == 1
        app.cancel("given-back")
        work.worker.start()
        assert isinstance(app.event().outcome, events.Cancelled)
