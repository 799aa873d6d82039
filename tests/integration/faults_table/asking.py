"""Asks a worker as the function app does."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Self

from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.storage.blob import BlobServiceClient

from contracts import blobs, events, messages, queues
from tests.unit.lid_worker import sounds, steps_bench

QUICK: Final = {
    "LID_ENGINE": "assume_english",
    "READY_CHECK_SECONDS": "0.5",
    "RECEIVE_WAIT_SECONDS": "1",
    "BACKOFF_SECONDS": "0.2",
    "LONGEST_BACKOFF_SECONDS": "1",
    "STORAGE_CONNECT_TIMEOUT_SECONDS": "1",
    "STORAGE_RETRIES": "1",
}
"""Settings of a worker that notices soon, and needs no model."""
ENGLISH: Final = sounds.SAMPLES / "english.flac"


class Asking:
    """What the function app is to a worker."""

    def __init__(self, storage_connection: str, bus_connection: str) -> None:
        self._blobs = BlobServiceClient.from_connection_string(storage_connection)
        self._bus = ServiceBusClient.from_connection_string(bus_connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._blobs.close()
        self._bus.close()

    def request(self, job_id: str) -> messages.StepRequest:
        """To prepare an upload of its own."""
        path = blobs.source_path(tenant_id=steps_bench.TENANT, job_id=job_id)
        with ENGLISH.open("rb") as data:
            answer = self._blobs.get_blob_client(blobs.Container.AUDIO_FILES, path).upload_blob(data)
        source = blobs.BlobReference(
            container=blobs.Container.AUDIO_FILES, path=path, etag=str(answer["etag"])
        )
        asked = steps_bench.prepare_request(source)
        result = blobs.step_result_path(
            tenant_id=steps_bench.TENANT, job_id=job_id, step=asked.step, key=asked.result.key
        )
        target = asked.result.model_copy(update={"path": result})
        return asked.model_copy(update={"job_id": job_id, "result": target})

    def send(self, request: messages.StepRequest) -> None:
        with self._bus.get_queue_sender(queues.Queue.LID_JOBS) as sender:
            message = ServiceBusMessage(request.model_dump_json(), time_to_live=timedelta(minutes=30))
            sender.send_messages(message)

    def event(self, *, within_seconds: float = 60.0) -> events.StepFinished:
        with self._bus.get_queue_receiver(queues.Queue.JOB_EVENTS) as receiver:
            (message,) = receiver.receive_messages(max_message_count=1, max_wait_time=within_seconds)
            receiver.complete_message(message)
        return events.StepFinished.model_validate_json(str(message))
