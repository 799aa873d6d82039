"""A request that comes again when its job has ended: made from what the job left behind."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.storage.blob import BlobServiceClient

from contracts import blobs, identity, messages, params, queues, steps
from tests.faults import evidence, workload


def prepare_request(storage: BlobServiceClient, job_id: str) -> messages.StepRequest:
    """The request of the job's first `prepare`, but for its time to live."""
    source = blobs.source_path(tenant_id=evidence.TENANT, job_id=job_id)
    found = storage.get_blob_client(blobs.Container.AUDIO_FILES, source).get_blob_properties()
    prefix = blobs.results_prefix(tenant_id=evidence.TENANT, job_id=job_id)
    results = storage.get_container_client(blobs.Container.RESULTS)
    (plan,) = results.list_blob_names(name_starts_with=f"{prefix}steps/{steps.Step.PREPARE}/")
    return messages.StepRequest(
        tenant_id=evidence.TENANT,
        job_id=job_id,
        run=1,
        step=steps.Step.PREPARE,
        attempt=1,
        result=messages.ResultTarget(key=Path(plan).stem, path=plan),
        inputs={
            messages.InputName.SOURCE: blobs.BlobReference(
                container=blobs.Container.AUDIO_FILES, path=source, etag=found.etag, size_bytes=found.size
            )
        },
        params=params.PrepareParams(longest_chunk_seconds=workload.LONGEST_CHUNK_SECONDS),
        reply_to=messages.ReplyTo(
            instance_id=identity.instance_id(job_id=job_id, run=1),
            event_name=identity.event_name(step=steps.Step.PREPARE, chunk=None, attempt=1),
        ),
        expires_at=datetime.now(UTC) + timedelta(minutes=10),
    )


def send(connection_string: str, request: messages.StepRequest) -> None:
    """To the step's queue, under an id that duplicate detection lets pass."""
    with (
        ServiceBusClient.from_connection_string(connection_string) as client,
        client.get_queue_sender(queues.QUEUE_OF_STEP[request.step]) as sender,
    ):
        sender.send_messages(ServiceBusMessage(request.model_dump_json(), content_type="application/json"))


def ended_attempts(log: Path, job_id: str) -> int:
    """How many attempts at steps of the job a worker's log has seen end."""
    entries = (json.loads(line) for line in log.read_text("utf-8").splitlines() if line.startswith("{"))
    return sum(entry["event"] == "attempt_ended" and entry.get("job_id") == job_id for entry in entries)
