"""Requests, results and handlers for the tests of the workers' kit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts import blobs, contract, identity, messages, params, result_keys, results, steps
from worker_kit import handlers
from worker_kit.context import StepContext
from worker_kit.settings import WorkerSettings

TENANT, JOB = "tenant", "job"
TALK = blobs.BlobReference(
    container=blobs.Container.AUDIO_FILES,
    path=blobs.source_path(tenant_id=TENANT, job_id=JOB),
    etag='"1"',
)


def request(*, job_id: str = JOB, attempt: int = 1, **changes: Any) -> messages.StepRequest:
    """A request to prepare, as the function app sends it."""
    wanted = params.PrepareParams()
    key = result_keys.result_key(inputs=[TALK.etag or ""], params=wanted)
    step = steps.Step.PREPARE
    complete = messages.StepRequest(
        tenant_id=TENANT,
        job_id=job_id,
        run=1,
        step=step,
        attempt=attempt,
        result=messages.ResultTarget(
            key=key, path=blobs.step_result_path(tenant_id=TENANT, job_id=job_id, step=step, key=key)
        ),
        inputs={messages.InputName.SOURCE: TALK},
        params=wanted,
        reply_to=messages.ReplyTo(
            instance_id=identity.instance_id(job_id=job_id, run=1),
            event_name=identity.event_name(step=step, chunk=None, attempt=attempt),
        ),
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
    return complete.model_copy(update=changes)


def settings(**changes: Any) -> WorkerSettings:
    """For a worker that talks to twins, and does not wait long."""
    fields: dict[str, Any] = {
        "azure_storage_account_url": "https://nowhere.invalid",
        "service_bus_namespace": "nowhere.invalid",
        "receive_wait_seconds": 0.05,
        "backoff_seconds": 0.01,
        "longest_backoff_seconds": 0.02,
        "cancel_check_seconds": 0.01,
        "ready_check_seconds": 0.05,
        "drain_seconds": 5.0,
        "worker_id": "worker-1",
    }
    return WorkerSettings(**{**fields, **changes})


def body(wanted: messages.StepRequest) -> bytes:
    """As it lies in the queue."""
    return wanted.model_dump_json().encode()


def plan(*, audio_seconds: float = 12.5) -> results.ChunkPlan:
    """A plan without chunks."""
    return results.ChunkPlan(
        source=results.SourceFacts(
            content_hash="sha256:" + "0" * 64,
            size_bytes=1,
            container_format="wav",
            audio_codec="pcm_s16le",
            sample_rate_hz=16000,
            channels=1,
            audio_tracks=1,
        ),
        audio_seconds=audio_seconds,
        speech_seconds=0.0,
        chunks=(),
    )


class ScriptedHandler:
    """Does what `work` says, and remembers which jobs it saw, and how many at once."""

    steps = frozenset({steps.Step.PREPARE})

    def __init__(
        self,
        work: Callable[[messages.StepRequest, StepContext], contract.Contract] | None = None,
        *,
        reusable: bool = True,
    ) -> None:
        self.seen: list[str] = []
        self.most_at_once = 0
        self.closed = False
        self._work = work or (lambda _request, _context: plan())
        self._reusable = reusable
        self._now = 0
        self._lock = threading.Lock()

    def load(self) -> None:
        """Nothing to load."""

    def warm_up(self) -> None:
        """Nothing to warm."""

    def handle(self, request: messages.StepRequest, context: StepContext) -> handlers.HandlerResult:
        with self._lock:
            self.seen.append(request.job_id)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            result = self._work(request, context)
        finally:
            with self._lock:
                self._now -= 1
        return handlers.HandlerResult(result=result, usage=handlers.WorkUsage(audio_seconds=12.5))

    def reusable(
        self,
        result: contract.Contract,  # noqa: ARG002 - the answer is scripted
        context: StepContext,  # noqa: ARG002
    ) -> bool:
        return self._reusable

    def close(self) -> None:
        self.closed = True
