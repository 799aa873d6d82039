"""One attempt: the order of work that makes redelivery harmless.

parse → expired? → result there? (event, done) → cancelled? → work → write the result → event → settle.

Killed anywhere, the message comes back when its lock runs out, and the next worker finds either no result
and works, or the result and only announces it. Nothing else makes redelivery harmless.
"""

import asyncio
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

import structlog

from contracts import contract, events, messages, steps
from contracts.errors import ErrorCode
from worker_kit import clocks, errors, failures, intake, step_results
from worker_kit.blobs import BlobStore, content_hash
from worker_kit.context import StepContext
from worker_kit.handlers import StepHandler, WorkUsage
from worker_kit.hanging import HangingWork
from worker_kit.lock import HeldLock
from worker_kit.metrics import WorkerMetrics
from worker_kit.progress import ProgressLog
from worker_kit.queues import EventSender, ReceivedMessage
from worker_kit.settings import WorkerSettings
from worker_kit.threads import run_in_thread

log = structlog.get_logger()

SPARE_SECONDS: Final = 5.0
"""How long after its request has expired work may still end by itself."""


class Settlement(StrEnum):
    """What becomes of a message."""

    COMPLETE = "complete"
    ABANDON = "abandon"
    """Back to the queue at once."""
    ABANDON_AFTER_BACKOFF = "abandon_after_backoff"
    """Back to the queue after a pause: something that everybody needs is away."""
    DEAD_LETTER = "dead_letter"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A settlement with its reason."""

    settlement: Settlement
    reason: str = ""
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class _Work:
    outcome: events.Completed | events.Failed | events.Cancelled
    usage: WorkUsage
    run_seconds: float


class AttemptRunner:
    """Takes a message through the order; settles nothing itself."""

    def __init__(
        self,
        *,
        handlers: Sequence[StepHandler],
        blob_store: BlobStore,
        event_sender: EventSender,
        metrics: WorkerMetrics,
        workspace: Path,
        settings: WorkerSettings,
        hanging: HangingWork,
    ) -> None:
        self._handlers = _by_step(handlers)
        self._blobs = blob_store
        self._events = event_sender
        self._metrics = metrics
        self._workspace = workspace
        self._settings = settings
        self._hanging = hanging
        self._running: set[threading.Event] = set()

    async def run(self, message: ReceivedMessage, held: HeldLock) -> Verdict:
        """Never raises: whatever happens ends in a settlement."""
        try:
            request = intake.parse_request(message.body, self._handlers.keys())
        except errors.MessageRejectedError as error:
            log.error("message_rejected", message_id=message.message_id, code=error.code, reason=str(error))
            return Verdict(settlement=Settlement.DEAD_LETTER, reason=error.code, description=str(error))
        with structlog.contextvars.bound_contextvars(**_identity(request)):
            try:
                return await self._attempt(request, message, held)
            except errors.WorkAbandonedError:
                log.warning("work_abandoned")
                return Verdict(settlement=Settlement.ABANDON)
            except (errors.BlobsUnavailableError, errors.QueueUnavailableError) as error:
                log.warning("attempt_postponed", code=error.code, reason=str(error))
                return Verdict(settlement=Settlement.ABANDON_AFTER_BACKOFF, reason=str(error))

    def abandon_all(self) -> None:
        """Work that looks for cancellation stops soon, and its messages go back."""
        for abandoned in self._running:
            abandoned.set()

    async def _attempt(
        self, request: messages.StepRequest, message: ReceivedMessage, held: HeldLock
    ) -> Verdict:
        queue_wait_seconds = max(0.0, (datetime.now(UTC) - message.enqueued_at).total_seconds())
        self._metrics.queue_wait_seconds.observe(queue_wait_seconds)
        log.info("attempt_started", queue_wait_seconds=round(queue_wait_seconds, 3))
        work = await self._work_in_time(request, clocks.seconds_left(request, message, held))
        self._count(request, work)
        if held.lost and not isinstance(work.outcome, events.Completed):
            # Whoever has the message now may yet succeed: only a result is worth announcing.
            return Verdict(settlement=Settlement.ABANDON, reason="lock lost")
        await self._events.send(self._event(request, work, queue_wait_seconds))
        return Verdict(settlement=Settlement.COMPLETE)

    async def _work_in_time(self, request: messages.StepRequest, seconds_left: float) -> _Work:
        """Gives up when nobody waits any more: work that hangs must not hold its message for ever."""
        if seconds_left <= 0:
            return _Work(outcome=_expired(), usage=WorkUsage(), run_seconds=0.0)
        limit_seconds = seconds_left + SPARE_SECONDS
        abandoned = threading.Event()
        self._running.add(abandoned)
        work = asyncio.ensure_future(
            run_in_thread(lambda: self._work(request, abandoned), name=f"{request.step}-{request.job_id}")
        )
        try:
            if (await asyncio.wait({work}, timeout=limit_seconds))[0]:
                return work.result()
        finally:
            self._running.discard(abandoned)
        abandoned.set()
        self._hanging.watch(work)
        return _Work(outcome=_timed_out(), usage=WorkUsage(), run_seconds=limit_seconds)

    def _work(self, request: messages.StepRequest, abandoned: threading.Event) -> _Work:
        """In a thread. Raises only what `failures.PASSED_THROUGH` names."""
        started, cpu_started = time.monotonic(), time.thread_time()
        usage = WorkUsage()
        try:
            with tempfile.TemporaryDirectory(dir=self._workspace) as folder:
                outcome, usage = self._outcome(request, Path(folder), abandoned)
        except Exception as error:  # noqa: BLE001 - every failure of a handler becomes an outcome
            return _Work(
                outcome=failures.outcome_of(error),
                usage=WorkUsage(cpu_seconds=time.thread_time() - cpu_started),
                run_seconds=time.monotonic() - started,
            )
        if usage.cpu_seconds is None:
            usage = _with_cpu(usage, time.thread_time() - cpu_started)
        return _Work(outcome=outcome, usage=usage, run_seconds=time.monotonic() - started)

    def _outcome(
        self, request: messages.StepRequest, folder: Path, abandoned: threading.Event
    ) -> tuple[events.Completed, WorkUsage]:
        context = StepContext(
            request=request,
            blob_store=self._blobs,
            workspace=folder,
            cancel_check_seconds=self._settings.cancel_check_seconds,
            on_progress=ProgressLog().note,
            abandoned=abandoned,
        )
        handler = self._handlers[request.step]
        stored = self._stored(request, handler, context)
        if stored is not None:
            return stored, WorkUsage()
        context.raise_if_cancelled()
        answer = handler.handle(request, context)
        return self._store(request, answer.result), answer.usage

    def _stored(
        self, request: messages.StepRequest, handler: StepHandler, context: StepContext
    ) -> events.Completed | None:
        reference = self._blobs.find(request.result.container, request.result.path)
        if reference is None:
            return None
        data = self._blobs.read(reference)
        reference = reference.model_copy(update={"content_hash": content_hash(data)})
        result = step_results.from_bytes(request.step, data)
        if not handler.reusable(result, context):
            log.info("stored_result_incomplete", path=reference.path)
            return None
        return events.Completed(result=reference, facts=step_results.facts_of(result), reused=True)

    def _store(self, request: messages.StepRequest, result: contract.Contract) -> events.Completed:
        """The first writer wins, and the event tells of what is stored, whoever wrote it."""
        data = step_results.to_bytes(result)
        reference = self._blobs.ensure(
            request.result.container, request.result.path, data, content_type="application/json"
        )
        if reference.content_hash != content_hash(data):
            result = step_results.from_bytes(request.step, self._blobs.read(reference))
        return events.Completed(result=reference, facts=step_results.facts_of(result))

    def _event(
        self, request: messages.StepRequest, work: _Work, queue_wait_seconds: float
    ) -> events.StepFinished:
        usage = events.Usage(
            queue_wait_seconds=queue_wait_seconds,
            run_seconds=work.run_seconds,
            audio_seconds=work.usage.audio_seconds,
            gpu_seconds=work.usage.gpu_seconds,
            cpu_seconds=work.usage.cpu_seconds or 0.0,
            engine=work.usage.engine,
            model=work.usage.model,
            worker_id=self._settings.worker_id,
        )
        return events.StepFinished(
            tenant_id=request.tenant_id,
            job_id=request.job_id,
            run=request.run,
            step=request.step,
            chunk=request.chunk,
            attempt=request.attempt,
            reply_to=request.reply_to,
            outcome=work.outcome,
            usage=usage,
            finished_at=datetime.now(UTC),
            traceparent=request.traceparent,
        )

    def _count(self, request: messages.StepRequest, work: _Work) -> None:
        outcome = _outcome_word(work.outcome)
        self._metrics.steps_total.labels(step=request.step, outcome=outcome).inc()
        self._metrics.step_seconds.labels(step=request.step).observe(work.run_seconds)
        self._metrics.audio_seconds_total.labels(step=request.step).inc(work.usage.audio_seconds)
        details = {}
        if isinstance(work.outcome, events.Failed):
            details = {"code": work.outcome.code, "reason": work.outcome.message}
        log.info("attempt_ended", outcome=outcome, run_seconds=round(work.run_seconds, 3), **details)


def _by_step(handlers: Sequence[StepHandler]) -> Mapping[steps.Step, StepHandler]:
    table: dict[steps.Step, StepHandler] = {}
    for handler in handlers:
        for step in handler.steps:
            if step in table:
                raise ValueError(f"two handlers for {step}")
            table[step] = handler
    return table


def _identity(request: messages.StepRequest) -> dict[str, object]:
    return {
        "tenant_id": request.tenant_id,
        "job_id": request.job_id,
        "run": request.run,
        "step": request.step,
        "chunk": request.chunk,
        "attempt": request.attempt,
        "traceparent": request.traceparent,
    }


def _expired() -> events.Failed:
    return events.Failed(
        code=ErrorCode.MESSAGE_EXPIRED,
        message="The request waited in its queue for longer than it is good for: are there enough workers?",
        retryable=True,
    )


def _timed_out() -> events.Failed:
    return events.Failed(
        code=ErrorCode.TIMED_OUT,
        message="The work did not end while anybody waited for it.",
        retryable=True,
    )


def _outcome_word(outcome: events.Completed | events.Failed | events.Cancelled) -> str:
    match outcome:
        case events.Completed(reused=True):
            return "reused"
        case events.Failed(retryable=True):
            return "failed_retryable"
        case _:
            return str(outcome.status)


def _with_cpu(usage: WorkUsage, cpu_seconds: float) -> WorkUsage:
    return WorkUsage(
        audio_seconds=usage.audio_seconds,
        gpu_seconds=usage.gpu_seconds,
        cpu_seconds=cpu_seconds,
        engine=usage.engine,
        model=usage.model,
    )
