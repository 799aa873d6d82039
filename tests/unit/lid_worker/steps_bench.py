"""Requests for the two steps, over a store in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from contracts import blobs, identity, messages, params, result_keys, results, steps
from lid_worker.prepare.handler import PrepareHandler
from worker_kit import step_results
from worker_kit.context import StepContext
from worker_kit.handlers import HandlerResult, StepHandler
from worker_kit.memory_blobs import MemoryBlobStore

TENANT, JOB = "tenant", "job"


@dataclass(kw_only=True)
class Bench:
    """Runs handlers as the kit does."""

    workspace: Path
    store: MemoryBlobStore = field(default_factory=MemoryBlobStore)
    _attempts: int = 0

    def upload(self, data: bytes) -> blobs.BlobReference:
        """A source, as the function app refers to it: by its ETag."""
        path = blobs.source_path(tenant_id=TENANT, job_id=JOB)
        stored = self.store.put(blobs.Container.AUDIO_FILES, path, data)
        return stored.model_copy(update={"content_hash": None})

    def context(self, request: messages.StepRequest) -> StepContext:
        self._attempts += 1
        folder = self.workspace / f"attempt-{self._attempts}"
        folder.mkdir()
        return StepContext(
            request=request, blob_store=self.store, workspace=folder, cancel_check_seconds=0.001
        )

    def handle(self, handler: StepHandler, request: messages.StepRequest) -> HandlerResult:
        return handler.handle(request, self.context(request))

    def prepare(
        self, handler: PrepareHandler, source: blobs.BlobReference, **wanted: Any
    ) -> tuple[results.ChunkPlan, blobs.BlobReference]:
        """The plan, and where it is stored."""
        request = prepare_request(source, **wanted)
        plan = self.handle(handler, request).result
        assert isinstance(plan, results.ChunkPlan)
        reference = self.store.ensure(
            request.result.container,
            request.result.path,
            step_results.to_bytes(plan),
            content_type="application/json",
        )
        return plan, reference


def prepare_request(source: blobs.BlobReference, **wanted: Any) -> messages.StepRequest:
    """A request to prepare."""
    return _request(steps.Step.PREPARE, {messages.InputName.SOURCE: source}, params.PrepareParams(**wanted))


def lid_request(plan: blobs.BlobReference, **wanted: Any) -> messages.StepRequest:
    """A request to identify the language."""
    return _request(steps.Step.LID, {messages.InputName.PLAN: plan}, params.LidParams(**wanted))


def _request(
    step: steps.Step,
    inputs: dict[messages.InputName, blobs.BlobReference],
    wanted: params.PrepareParams | params.LidParams,
) -> messages.StepRequest:
    hashes = [reference.content_hash or reference.etag or "" for reference in inputs.values()]
    key = result_keys.result_key(inputs=hashes, params=wanted)
    return messages.StepRequest(
        tenant_id=TENANT,
        job_id=JOB,
        run=1,
        step=step,
        attempt=1,
        result=messages.ResultTarget(
            key=key, path=blobs.step_result_path(tenant_id=TENANT, job_id=JOB, step=step, key=key)
        ),
        inputs=inputs,
        params=wanted,
        reply_to=messages.ReplyTo(
            instance_id=identity.instance_id(job_id=JOB, run=1),
            event_name=identity.event_name(step=step, chunk=None, attempt=1),
        ),
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
