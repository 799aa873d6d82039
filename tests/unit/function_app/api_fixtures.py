"""The API in one process over the twins, and a Durable client that remembers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from azure.durable_functions import OrchestrationRuntimeStatus
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from contracts import blobs, identity
from function_app import blobs_memory, queues_memory, services, settings
from function_app.api import app as api_app
from function_app.api import durable
from function_app.store import memory

TENANT = "default"
ORIGIN = "http://speech.test"


@dataclass
class Status:
    """What DurableOrchestrationStatus has of interest here."""

    runtime_status: Any = None
    message: str = ""


@dataclass
class DurableTwin:
    """A Durable client: knows instances, remembers events."""

    states: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    events: list[tuple[str, str, Any]] = field(default_factory=list)
    away: bool = False

    async def get_status(self, instance_id: str) -> Status:
        self._check()
        return Status(runtime_status=self.states.get(instance_id))

    async def start_new(
        self, orchestration_function_name: str, instance_id: str, client_input: object
    ) -> str:
        self._check()
        assert orchestration_function_name == "speech_pipeline"
        if instance_id in self.states:
            raise ValueError(f"An Orchestration instance with the ID {instance_id} already exists.")
        self.states[instance_id] = OrchestrationRuntimeStatus.Running
        self.inputs[instance_id] = client_input
        return instance_id

    async def raise_event(self, instance_id: str, event_name: str, event_data: Any = None) -> None:
        self._check()
        self.events.append((instance_id, event_name, event_data))

    def _check(self) -> None:
        if self.away:
            raise RuntimeError("The operation failed with an unexpected status code 500")


@dataclass(kw_only=True)
class Api:
    """A running API and what stands behind it."""

    http: TestClient
    parts: services.Services
    store: memory.MemoryJobStore
    blobs: blobs_memory.MemoryBlobStore
    sender: queues_memory.MemoryStepSender
    durable: DurableTwin

    def create(self, **body: Any) -> dict[str, Any]:
        answer = self.http.post("/jobs", json={"file_name": "meeting.mp3"} | body)
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created

    def upload(self, job_id: str, data: bytes = b"RIFF") -> None:
        self.blobs.put(blobs.Container.AUDIO_FILES, blobs.source_path(tenant_id=TENANT, job_id=job_id), data)

    def started(self, **body: Any) -> str:
        """A job whose run has begun."""
        job_id = str(self.create(**body)["job_id"])
        self.upload(job_id)
        assert self.http.post(f"/jobs/{job_id}/start").status_code == 202
        assert self.store.begin_run(job_id=job_id, run=1)
        return job_id


@contextmanager
def running_api(**overrides: Any) -> Iterator[Api]:
    """The API over fresh twins; `overrides` are settings."""
    values: dict[str, Any] = {
        "database_url": "postgresql://unused",
        "azure_storage_connection_string": "unused",
        "service_bus_connection_string": "unused",
        "_env_file": None,
    }
    store, blob_store = memory.MemoryJobStore(), blobs_memory.MemoryBlobStore()
    sender, twin = queues_memory.MemoryStepSender(), DurableTwin()
    parts = services.Services(
        settings=settings.Settings(**(values | overrides)), store=store, blobs=blob_store, sender=sender
    )
    asgi = api_app.create()

    async def with_client(scope: Scope, receive: Receive, send: Send) -> None:
        with durable.using(twin):
            await asgi(scope, receive, send)

    services.use(parts)
    try:
        with TestClient(with_client, base_url=ORIGIN, raise_server_exceptions=True) as http:
            yield Api(http=http, parts=parts, store=store, blobs=blob_store, sender=sender, durable=twin)
    finally:
        services.use(None)


def instance_id(job_id: str) -> str:
    return identity.instance_id(job_id=job_id, run=1)


def plain(text: bytes) -> Any:
    return json.loads(text)
