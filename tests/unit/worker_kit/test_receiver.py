"""The loop: how many at once, what is settled how, and how it ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts import contract, messages
from tests.unit.worker_kit import builders, waiting
from worker_kit.attempts import AttemptRunner
from worker_kit.context import StepContext
from worker_kit.hanging import HangingWork
from worker_kit.memory_blobs import MemoryBlobStore
from worker_kit.memory_queue import MemoryEvents, MemoryQueue
from worker_kit.metrics import WorkerMetrics
from worker_kit.queues import ReceivedMessage
from worker_kit.receiver import Receiver


class Gate:
    """Work that waits until it is let through; each job may be let through alone."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.begun: list[str] = []

    def work(self, request: messages.StepRequest, context: StepContext) -> contract.Contract:
        self.begun.append(request.job_id)
        while not self._open.wait(0.005):
            context.raise_if_cancelled()
        return builders.plan()

    def open(self) -> None:
        self._open.set()


@dataclass(kw_only=True)
class Loop:
    """A running receiver with twins around it."""

    queue: MemoryQueue
    sent: MemoryEvents
    store: MemoryBlobStore
    handler: builders.ScriptedHandler
    stop: asyncio.Event
    metrics: WorkerMetrics
    task: asyncio.Task[bool]

    def put(self, job_id: str, *, delivery_count: int = 0) -> None:
        request = builders.request(job_id=job_id)
        self.queue.put(builders.body(request), message_id=job_id, delivery_count=delivery_count)

    async def stopped(self) -> bool:
        self.stop.set()
        return await asyncio.wait_for(self.task, 10)


class SlowQueue(MemoryQueue):
    """After `quick_receives` messages a receive waits until `hurry`, whatever has arrived meanwhile."""

    def __init__(self, *, quick_receives: int) -> None:
        super().__init__()
        self.waiting = asyncio.Event()
        self.hurry = asyncio.Event()
        self._quick_receives = quick_receives

    async def receive(self, *, max_wait_seconds: float) -> ReceivedMessage | None:
        if self._quick_receives == 0:
            self.waiting.set()
            await self.hurry.wait()
        message = await super().receive(max_wait_seconds=max_wait_seconds)
        self._quick_receives -= message is not None and self._quick_receives > 0
        return message


class Loops:
    """Starts loops, and stops them after the test."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self.started: list[Loop] = []

    def start(
        self, handler: builders.ScriptedHandler, *, queue: MemoryQueue | None = None, **settings: Any
    ) -> Loop:
        work_queue, sent, store = queue or MemoryQueue(), MemoryEvents(), MemoryBlobStore()
        metrics, chosen, stop = WorkerMetrics(), builders.settings(**settings), asyncio.Event()
        runner = AttemptRunner(
            handlers=[handler],
            blob_store=store,
            event_sender=sent,
            metrics=metrics,
            workspace=self._workspace,
            settings=chosen,
            hanging=HangingWork(limit_seconds=chosen.hang_seconds, on_found=stop.set),
        )
        receiver = Receiver(queue=work_queue, runner=runner, settings=chosen, metrics=metrics, stop=stop)
        loop = Loop(
            queue=work_queue,
            sent=sent,
            store=store,
            handler=handler,
            stop=stop,
            metrics=metrics,
            task=asyncio.create_task(receiver.run()),
        )
        self.started.append(loop)
        return loop


@pytest.fixture
async def loops(tmp_path: Path) -> AsyncIterator[Loops]:
    every = Loops(tmp_path)
    yield every
    for loop in every.started:
        await loop.stopped()


async def test_message_is_completed_after_its_event(loops: Loops) -> None:
    loop = loops.start(builders.ScriptedHandler())
    loop.put("a")
    await waiting.until(lambda: loop.queue.completed == ["a"])
    assert [event.job_id for event in loop.sent.sent] == ["a"]


async def test_no_more_messages_are_held_than_hands_are_free(loops: Loops) -> None:
    gate = Gate()
    loop = loops.start(builders.ScriptedHandler(gate.work), max_concurrent_steps=2)
    for job in "abcde":
        loop.put(job)
    await waiting.until(lambda: len(gate.begun) == 2)
    assert loop.queue.locked_count == 2
    gate.open()
    await waiting.until(lambda: len(loop.queue.completed) == 5)
    assert loop.handler.most_at_once == 2


async def test_redelivered_message_waits_for_others_and_then_runs_alone(loops: Loops) -> None:
    gate = Gate()
    loop = loops.start(builders.ScriptedHandler(gate.work), max_concurrent_steps=4)
    loop.put("first")
    await waiting.until(lambda: gate.begun == ["first"])
    loop.put("suspect", delivery_count=1)
    loop.put("later")
    await waiting.until(lambda: loop.queue.locked_count == 2)
    assert gate.begun == ["first"]
    gate.open()
    await waiting.until(lambda: len(loop.queue.completed) == 3)
    assert gate.begun == ["first", "suspect", "later"]
    assert loop.handler.most_at_once == 1


async def test_nothing_is_received_beside_a_message_that_runs_alone(loops: Loops) -> None:
    gate = Gate()
    loop = loops.start(builders.ScriptedHandler(gate.work), max_concurrent_steps=4)
    loop.put("suspect", delivery_count=3)
    loop.put("later")
    await waiting.until(lambda: gate.begun == ["suspect"])
    await asyncio.sleep(0.1)
    assert loop.queue.locked_count == 1
    gate.open()
    await waiting.until(lambda: loop.queue.completed == ["suspect", "later"])


@pytest.fixture
def eager_renewals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are long, so that no slow machine loses one, and renewed often."""
    monkeypatch.setattr("worker_kit.lock.LONGEST_WAIT_SECONDS", 0.05)


@pytest.mark.usefixtures("eager_renewals")
async def test_lock_is_renewed_while_work_goes_on(loops: Loops) -> None:
    gate = Gate()
    loop = loops.start(builders.ScriptedHandler(gate.work))
    loop.put("long")
    await waiting.until(lambda: loop.queue.renewals >= 4)
    gate.open()
    await waiting.until(lambda: loop.queue.completed == ["long"])


@pytest.mark.usefixtures("eager_renewals")
async def test_lock_lost_during_work_stores_the_result_but_settles_nothing(loops: Loops) -> None:
    gate = Gate()
    loop = loops.start(builders.ScriptedHandler(gate.work), max_concurrent_steps=1)
    loop.put("a")
    await waiting.until(lambda: gate.begun == ["a"])
    loop.queue.expire_locks()
    await waiting.until(lambda: loop.queue.refused_renewals > 0)
    gate.open()
    # Its second delivery finds the result of the first.
    await waiting.until(lambda: loop.queue.completed == ["a"])
    assert gate.begun == ["a"]
    assert [event.outcome.status for event in loop.sent.sent] == ["completed", "completed"]
    assert loop.metrics.registry.get_sample_value("lock_lost_total") == 1


async def test_message_that_is_no_request_goes_to_the_dead_letters(loops: Loops) -> None:
    loop = loops.start(builders.ScriptedHandler())
    loop.queue.put(b"poison", message_id="p")
    loop.put("good")
    await waiting.until(lambda: loop.queue.completed == ["good"])
    (dead,) = loop.queue.dead_letters
    assert (dead.reason, dead.description) == ("invalid_message", "The message is not JSON.")


async def test_storage_outage_sends_messages_back_until_it_is_over(loops: Loops) -> None:
    loop = loops.start(builders.ScriptedHandler(), queue=MemoryQueue(longest_deliveries=1000))
    loop.store.available = False
    loop.put("a")
    await waiting.until(lambda: len(loop.queue.abandoned) >= 3)
    assert loop.sent.sent == []
    loop.store.available = True
    await waiting.until(lambda: loop.queue.completed == ["a"])


async def test_broker_outage_is_waited_out(loops: Loops) -> None:
    queue = MemoryQueue()
    queue.available = False
    loop = loops.start(builders.ScriptedHandler(), queue=queue)
    await asyncio.sleep(0.1)
    assert not loop.task.done()
    queue.available = True
    loop.put("a")
    await waiting.until(lambda: loop.queue.completed == ["a"])


async def test_message_whose_completion_fails_is_announced_again_and_worked_on_once(loops: Loops) -> None:
    gate = Gate()
    loop = loops.start(builders.ScriptedHandler(gate.work), queue=MemoryQueue(lock_seconds=60))
    loop.put("a")
    await waiting.until(lambda: gate.begun == ["a"])
    loop.queue.available = False
    gate.open()
    await waiting.until(lambda: len(loop.sent.sent) == 1)
    loop.queue.available = True
    loop.queue.expire_locks()
    await waiting.until(lambda: loop.queue.completed == ["a"])
    assert gate.begun == ["a"]


async def test_stop_finishes_what_runs_and_takes_nothing_more(loops: Loops) -> None:
    gate = Gate()
    loop = loops.start(builders.ScriptedHandler(gate.work), max_concurrent_steps=1)
    loop.put("a")
    await waiting.until(lambda: gate.begun == ["a"])
    loop.put("b")
    loop.stop.set()
    gate.open()
    assert await loop.stopped()
    assert loop.queue.completed == ["a"]
    assert gate.begun == ["a"]


async def test_stop_sends_back_what_waits_to_run_alone(loops: Loops) -> None:
    gate = Gate()
    loop = loops.start(builders.ScriptedHandler(gate.work), max_concurrent_steps=2)
    loop.put("a")
    await waiting.until(lambda: gate.begun == ["a"])
    loop.put("suspect", delivery_count=1)
    await waiting.until(lambda: loop.queue.locked_count == 2)
    loop.stop.set()
    await waiting.until(lambda: loop.queue.abandoned == ["suspect"])
    gate.open()
    assert await loop.stopped()
    assert gate.begun == ["a"]


async def test_work_that_outlasts_the_drain_time_is_told_to_stop_and_goes_back(loops: Loops) -> None:
    gate = Gate()
    loop = loops.start(builders.ScriptedHandler(gate.work), drain_seconds=0.05)
    loop.put("long")
    await waiting.until(lambda: gate.begun == ["long"])
    assert await loop.stopped()
    assert loop.queue.abandoned == ["long"]
    assert loop.sent.sent == []


async def test_receive_under_way_delays_no_stop_and_what_it_brings_goes_back(loops: Loops) -> None:
    gate, queue = Gate(), SlowQueue(quick_receives=1)
    loop = loops.start(
        builders.ScriptedHandler(gate.work),
        queue=queue,
        max_concurrent_steps=2,
        receive_wait_seconds=60,
        drain_seconds=0.05,
    )
    loop.put("in hand")
    await waiting.until(lambda: gate.begun == ["in hand"] and queue.waiting.is_set())
    loop.stop.set()
    await waiting.until(lambda: queue.abandoned == ["in hand"])
    queue.hurry.set()
    assert await loop.stopped()
    # Abandoned once more by the receive that was under way when the worker was told to stop.
    assert queue.abandoned == ["in hand", "in hand"]
    assert queue.locked_count == 0
    assert gate.begun == ["in hand"]


async def test_receive_that_the_broker_never_answers_is_cut_short_at_the_end(
    loops: Loops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker_kit.receiver.GIVE_UP_SECONDS", 0.05)
    queue = SlowQueue(quick_receives=0)
    loop = loops.start(builders.ScriptedHandler(), queue=queue)
    await asyncio.wait_for(queue.waiting.wait(), 5)
    assert await loop.stopped()


async def test_work_that_does_not_listen_is_left_behind_and_its_message_goes_back(
    loops: Loops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker_kit.receiver.GIVE_UP_SECONDS", 0.05)
    deaf, begun = threading.Event(), threading.Event()

    def work(_request: messages.StepRequest, _context: StepContext) -> contract.Contract:
        begun.set()
        deaf.wait(5)
        return builders.plan()

    loop = loops.start(builders.ScriptedHandler(work), drain_seconds=0.05)
    loop.put("deaf")
    await waiting.until(begun.is_set)
    assert not await loop.stopped()
    assert loop.queue.abandoned == ["deaf"]
    deaf.set()
