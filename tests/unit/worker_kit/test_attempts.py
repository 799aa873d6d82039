"""The order of an attempt, branch by branch."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts import blobs, contract, events, messages
from contracts.errors import ErrorCode
from tests.unit.worker_kit import builders
from worker_kit import errors, event_ids, lock, step_results
from worker_kit.attempts import AttemptRunner, Settlement, Verdict
from worker_kit.context import StepContext
from worker_kit.hanging import HangingWork
from worker_kit.memory_blobs import MemoryBlobStore
from worker_kit.memory_queue import MemoryEvents, MemoryQueue
from worker_kit.metrics import WorkerMetrics
from worker_kit.queues import ReceivedMessage


@dataclass(kw_only=True)
class Bench:
    """A runner with twins of everything around it."""

    workspace: Path
    handler: builders.ScriptedHandler = field(default_factory=builders.ScriptedHandler)
    store: MemoryBlobStore = field(default_factory=MemoryBlobStore)
    sent: MemoryEvents = field(default_factory=MemoryEvents)
    metrics: WorkerMetrics = field(default_factory=WorkerMetrics)
    found_hanging: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, body: bytes, *, lock_lost: bool = False) -> Verdict:
        self.runner = AttemptRunner(
            handlers=[self.handler],
            blob_store=self.store,
            event_sender=self.sent,
            metrics=self.metrics,
            workspace=self.workspace,
            settings=builders.settings(),
            hanging=HangingWork(limit_seconds=0.05, on_found=self.found_hanging.set),
        )
        async with _held(body) as (message, held):
            held.lost = lock_lost
            return await self.runner.run(message, held)

    def outcome(self) -> events.Completed | events.Failed | events.Cancelled:
        (event,) = self.sent.sent
        return event.outcome


@contextlib.asynccontextmanager
async def _held(body: bytes) -> AsyncIterator[tuple[ReceivedMessage, lock.HeldLock]]:
    queue = MemoryQueue()
    queue.put(body)
    message = await queue.receive(max_wait_seconds=1)
    assert message is not None
    yield message, lock.HeldLock(message)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(workspace=tmp_path)


def store_result(bench: Bench, request: messages.StepRequest) -> blobs.BlobReference:
    data = step_results.to_bytes(builders.plan(audio_seconds=99.0))
    return bench.store.put(request.result.container, request.result.path, data)


def cancel(bench: Bench, request: messages.StepRequest) -> None:
    path = blobs.cancel_marker_path(tenant_id=request.tenant_id, job_id=request.job_id, run=request.run)
    bench.store.put(blobs.Container.WORK, path, b"")


async def test_result_is_stored_before_its_event_is_sent_and_the_message_completed(bench: Bench) -> None:
    request = builders.request()
    verdict = await bench.run(builders.body(request))
    assert verdict.settlement is Settlement.COMPLETE
    outcome = bench.outcome()
    assert isinstance(outcome, events.Completed)
    assert bench.store.find(outcome.result.container, outcome.result.path) == outcome.result
    assert outcome.result.path == request.result.path
    assert outcome.facts == step_results.facts_of(builders.plan())
    assert not outcome.reused


async def test_event_carries_the_identity_and_the_usage_of_the_attempt(bench: Bench) -> None:
    request = builders.request(attempt=3, traceparent="00-aa-bb-01")
    await bench.run(builders.body(request))
    (event,) = bench.sent.sent
    assert (event.job_id, event.run, event.step, event.attempt) == ("job", 1, request.step, 3)
    assert event.reply_to == request.reply_to
    assert event.traceparent == "00-aa-bb-01"
    assert event.usage.worker_id == "worker-1"
    assert event.usage.audio_seconds == 12.5
    assert event.usage.queue_wait_seconds >= 0
    assert event_ids.event_message_id(event) == "job.1:prepare:0:3:completed"


async def test_result_that_is_there_is_announced_and_no_work_done(bench: Bench) -> None:
    request = builders.request()
    stored = store_result(bench, request)
    verdict = await bench.run(builders.body(request))
    outcome = bench.outcome()
    assert verdict.settlement is Settlement.COMPLETE
    assert isinstance(outcome, events.Completed)
    assert outcome.reused
    assert outcome.result == stored
    assert isinstance(outcome.facts, events.PrepareFacts)
    assert outcome.facts.audio_seconds == 99.0
    assert bench.handler.seen == []


async def test_result_whose_parts_are_gone_is_made_again_and_the_stored_one_kept(bench: Bench) -> None:
    request = builders.request()
    stored = store_result(bench, request)
    bench.handler = builders.ScriptedHandler(reusable=False)
    await bench.run(builders.body(request))
    outcome = bench.outcome()
    assert bench.handler.seen == ["job"]
    assert isinstance(outcome, events.Completed)
    assert outcome.result == stored


async def test_first_writer_wins_and_the_event_tells_of_what_is_stored(bench: Bench) -> None:
    request = builders.request()

    def work(_request: messages.StepRequest, _context: StepContext) -> contract.Contract:
        store_result(bench, request)
        return builders.plan(audio_seconds=1.0)

    bench.handler = builders.ScriptedHandler(work)
    await bench.run(builders.body(request))
    outcome = bench.outcome()
    assert isinstance(outcome, events.Completed)
    assert isinstance(outcome.facts, events.PrepareFacts)
    assert outcome.facts.audio_seconds == 99.0


async def test_stored_result_that_cannot_be_read_fails_for_good(bench: Bench) -> None:
    request = builders.request()
    bench.store.put(request.result.container, request.result.path, b"{}")
    await bench.run(builders.body(request))
    outcome = bench.outcome()
    assert isinstance(outcome, events.Failed)
    assert not outcome.retryable


async def test_expired_request_fails_without_work(bench: Bench) -> None:
    request = builders.request(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    verdict = await bench.run(builders.body(request))
    outcome = bench.outcome()
    assert verdict.settlement is Settlement.COMPLETE
    assert isinstance(outcome, events.Failed)
    assert outcome.code is ErrorCode.MESSAGE_EXPIRED
    assert bench.handler.seen == []


async def test_cancelled_run_is_answered_without_work(bench: Bench) -> None:
    request = builders.request()
    cancel(bench, request)
    verdict = await bench.run(builders.body(request))
    assert verdict.settlement is Settlement.COMPLETE
    assert bench.outcome() == events.Cancelled()
    assert bench.handler.seen == []


async def test_marker_of_another_run_does_not_cancel(bench: Bench) -> None:
    cancel(bench, builders.request(run=2))
    await bench.run(builders.body(builders.request()))
    assert isinstance(bench.outcome(), events.Completed)


async def test_cancel_during_work_ends_it_without_a_result(bench: Bench) -> None:
    request = builders.request()

    def work(_request: messages.StepRequest, context: StepContext) -> contract.Contract:
        cancel(bench, request)
        while True:
            context.raise_if_cancelled()

    bench.handler = builders.ScriptedHandler(work)
    verdict = await bench.run(builders.body(request))
    assert verdict.settlement is Settlement.COMPLETE
    assert bench.outcome() == events.Cancelled()
    assert bench.store.find(request.result.container, request.result.path) is None


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        pytest.param(errors.StepError(ErrorCode.NOT_AUDIO, "No."), ErrorCode.NOT_AUDIO, False, id="final"),
        pytest.param(
            errors.StepError(ErrorCode.ENGINE_FAILED, "No."), ErrorCode.ENGINE_FAILED, True, id="retryable"
        ),
        pytest.param(ZeroDivisionError("secret"), ErrorCode.INTERNAL_ERROR, True, id="unknown"),
        pytest.param(MemoryError(), ErrorCode.OUT_OF_MEMORY, True, id="memory"),
        pytest.param(OSError(28, "No space left on device"), ErrorCode.DISK_FULL, True, id="disk"),
        pytest.param(
            errors.BlobMissingError(blobs.Container.WORK, "x"), ErrorCode.SOURCE_MISSING, False, id="missing"
        ),
        pytest.param(
            errors.BlobChangedError(blobs.Container.WORK, "x"), ErrorCode.SOURCE_CHANGED, False, id="changed"
        ),
    ],
)
async def test_failure_becomes_an_event_and_the_message_is_completed(
    bench: Bench, error: Exception, code: ErrorCode, *, retryable: bool
) -> None:
    def work(_request: messages.StepRequest, _context: StepContext) -> contract.Contract:
        raise error

    bench.handler = builders.ScriptedHandler(work)
    verdict = await bench.run(builders.body(builders.request()))
    outcome = bench.outcome()
    assert verdict.settlement is Settlement.COMPLETE
    assert isinstance(outcome, events.Failed)
    assert (outcome.code, outcome.retryable) == (code, retryable)
    assert "secret" not in outcome.message


async def test_unreachable_storage_sends_the_message_back_and_no_event(bench: Bench) -> None:
    bench.store.available = False
    verdict = await bench.run(builders.body(builders.request()))
    assert verdict.settlement is Settlement.ABANDON_AFTER_BACKOFF
    assert bench.sent.sent == []


async def test_event_that_cannot_be_sent_sends_the_message_back_and_the_work_is_not_lost(
    bench: Bench,
) -> None:
    request = builders.request()
    bench.sent.available = False
    verdict = await bench.run(builders.body(request))
    assert verdict.settlement is Settlement.ABANDON_AFTER_BACKOFF
    bench.sent.available = True
    await bench.run(builders.body(request))
    outcome = bench.outcome()
    assert isinstance(outcome, events.Completed)
    assert outcome.reused
    assert bench.handler.seen == ["job"]


async def test_lost_lock_still_announces_a_result(bench: Bench) -> None:
    await bench.run(builders.body(builders.request()), lock_lost=True)
    assert isinstance(bench.outcome(), events.Completed)


async def test_lost_lock_does_not_announce_a_failure(bench: Bench) -> None:
    def work(_request: messages.StepRequest, _context: StepContext) -> contract.Contract:
        raise errors.StepError(ErrorCode.ENGINE_FAILED, "No.")

    bench.handler = builders.ScriptedHandler(work)
    verdict = await bench.run(builders.body(builders.request()), lock_lost=True)
    assert verdict.settlement is Settlement.ABANDON
    assert bench.sent.sent == []


async def test_work_that_is_told_to_stop_goes_back_to_the_queue(bench: Bench) -> None:
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work(_request: messages.StepRequest, context: StepContext) -> contract.Contract:
        loop.call_soon_threadsafe(begun.set)
        while True:
            context.raise_if_cancelled()

    bench.handler = builders.ScriptedHandler(work)
    running = asyncio.create_task(bench.run(builders.body(builders.request())))
    await asyncio.wait_for(begun.wait(), 5)
    bench.runner.abandon_all()
    verdict = await asyncio.wait_for(running, 5)
    assert verdict.settlement is Settlement.ABANDON
    assert bench.sent.sent == []


async def test_work_that_hangs_is_given_up_when_nobody_waits_any_more_and_then_the_process(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker_kit.attempts.SPARE_SECONDS", 0.05)
    monkeypatch.setattr("worker_kit.clocks.seconds_left", lambda *_: 0.05)
    ended = threading.Event()

    def work(_request: messages.StepRequest, _context: StepContext) -> contract.Contract:
        ended.wait(60)
        return builders.plan()

    bench.handler = builders.ScriptedHandler(work)
    verdict = await asyncio.wait_for(bench.run(builders.body(builders.request())), 30)
    outcome = bench.outcome()
    assert verdict.settlement is Settlement.COMPLETE
    assert isinstance(outcome, events.Failed)
    assert (outcome.code, outcome.retryable) == (ErrorCode.TIMED_OUT, True)
    await asyncio.wait_for(bench.found_hanging.wait(), 30)
    ended.set()


async def test_work_that_ends_late_costs_no_process() -> None:
    found = asyncio.Event()
    watched = HangingWork(limit_seconds=30, on_found=found.set)
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    failed.set_exception(RuntimeError("too late for anybody to hear"))
    watched.watch(failed)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not found.is_set()
    assert not watched.found


async def test_message_that_is_no_request_is_dead_lettered_with_its_reason(bench: Bench) -> None:
    verdict = await bench.run(b"hello")
    assert verdict.settlement is Settlement.DEAD_LETTER
    assert verdict.reason == ErrorCode.INVALID_MESSAGE
    assert verdict.description == "The message is not JSON."
    assert bench.sent.sent == []


async def test_workspace_is_there_for_the_work_and_gone_after_it(bench: Bench) -> None:
    seen: list[Path] = []

    def work(_request: messages.StepRequest, context: StepContext) -> contract.Contract:
        (context.workspace / "file").write_text("x")
        seen.append(context.workspace)
        return builders.plan()

    bench.handler = builders.ScriptedHandler(work)
    await bench.run(builders.body(builders.request()))
    assert seen
    assert not seen[0].exists()


async def test_every_outcome_is_counted(bench: Bench) -> None:
    request = builders.request()
    await bench.run(builders.body(request))
    await bench.run(builders.body(request))

    def count(outcome: str) -> float | None:
        return bench.metrics.registry.get_sample_value("steps_total", {"step": "prepare", "outcome": outcome})

    assert (count("completed"), count("reused")) == (1, 1)
    audio = bench.metrics.registry.get_sample_value("audio_seconds_total", {"step": "prepare"})
    assert audio == 12.5
