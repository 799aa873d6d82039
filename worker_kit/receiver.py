"""Receives messages, a bounded number at a time, and settles them."""

import asyncio
from collections.abc import Collection
from typing import Any

import structlog

from worker_kit import errors, lock
from worker_kit.attempts import AttemptRunner, Settlement, Verdict
from worker_kit.backoff import Backoff
from worker_kit.lock import HeldLock
from worker_kit.metrics import WorkerMetrics
from worker_kit.queues import ReceivedMessage, WorkQueue
from worker_kit.settings import WorkerSettings

log = structlog.get_logger()

GIVE_UP_SECONDS = 5.0
"""How long work that was told to stop may take to notice."""


class Receiver:
    """The worker's loop.

    It asks for a message only when it has a free hand, so every message that it holds is being worked on. One
    that was delivered before may be what killed a worker: it runs alone, after everything else has ended and
    with nothing beside it, so that a crash harms no neighbour and names its cause.
    """

    def __init__(
        self,
        *,
        queue: WorkQueue,
        runner: AttemptRunner,
        settings: WorkerSettings,
        metrics: WorkerMetrics,
        stop: asyncio.Event,
    ) -> None:
        self._queue = queue
        self._runner = runner
        self._settings = settings
        self._metrics = metrics
        self._in_hand: dict[asyncio.Task[None], ReceivedMessage] = {}
        self._receiving: asyncio.Task[ReceivedMessage | None] | None = None
        self._stop = stop
        self._receive_backoff = _backoff(settings)
        self._work_backoff = _backoff(settings)

    async def run(self) -> bool:
        """Until `stop` is set: then no further message is received, and what has not begun goes back.

        Work in hand may end within `drain_seconds`, counted from `stop`: a receive that is under way delays
        nothing, and what it still brings goes back. False when some work was left behind.
        """
        while not self._stop.is_set():
            await self._one_turn()
        return await self._drain()

    async def _one_turn(self) -> None:
        if not await self._free_hand():
            return
        self._receiving = asyncio.create_task(self._receive())
        await self._one_ends_or_stop({self._receiving})
        if not self._receiving.done():
            return
        message, self._receiving = self._receiving.result(), None
        if message is None:
            return
        if message.delivery_count > 0:
            await self._run_alone(message)
        else:
            self._take(message)

    async def _free_hand(self) -> bool:
        """False when it is time to stop instead."""
        while len(self._in_hand) >= self._settings.max_concurrent_steps and not self._stop.is_set():
            await self._one_ends_or_stop(set(self._in_hand))
        return not self._stop.is_set()

    async def _receive(self) -> ReceivedMessage | None:
        try:
            message = await self._queue.receive(max_wait_seconds=self._settings.receive_wait_seconds)
        except errors.QueueUnavailableError as error:
            log.warning("queue_unavailable", reason=str(error))
            await self._receive_backoff.pause(self._stop)
            return None
        self._receive_backoff.succeeded()
        return message

    def _take(self, message: ReceivedMessage, *, begin: asyncio.Event | None = None) -> asyncio.Task[None]:
        task = asyncio.create_task(self._attend(message, begin))
        self._in_hand[task] = message
        self._metrics.in_flight.set(len(self._in_hand))
        task.add_done_callback(self._let_go)
        return task

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._in_hand.pop(task, None)
        self._metrics.in_flight.set(len(self._in_hand))
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("message_task_crashed", exc_info=error)

    async def _run_alone(self, message: ReceivedMessage) -> None:
        log.info("redelivered", message_id=message.message_id, delivery_count=message.delivery_count)
        others = frozenset(self._in_hand)
        begin = asyncio.Event()
        task = self._take(message, begin=begin)
        while (running := others & self._in_hand.keys()) and not self._stop.is_set():
            await self._one_ends_or_stop(running)
        begin.set()
        while not task.done() and not self._stop.is_set():
            await self._one_ends_or_stop({task})

    async def _one_ends_or_stop(self, tasks: Collection[asyncio.Task[Any]]) -> None:
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()

    async def _attend(self, message: ReceivedMessage, begin: asyncio.Event | None) -> None:
        """From received to settled; the lock is kept up to the settlement."""
        async with lock.kept(self._queue, message) as held:
            if begin is not None:
                await begin.wait()
            verdict = await self._verdict(message, held)
            await self._after_work(verdict)
        if held.lost:
            self._metrics.lock_lost_total.inc()
            log.warning("settlement_skipped", message_id=message.message_id, reason="lock lost")
            await self._queue.release(message)
        else:
            await self._settle(message, verdict)

    async def _verdict(self, message: ReceivedMessage, held: HeldLock) -> Verdict:
        if self._stop.is_set():
            return Verdict(settlement=Settlement.ABANDON, reason="stopping")
        if held.lost:
            return Verdict(settlement=Settlement.ABANDON, reason="lock lost while waiting")
        return await self._runner.run(message, held)

    async def _after_work(self, verdict: Verdict) -> None:
        # The message stays in hand meanwhile: every redelivery counts against its limit.
        if verdict.settlement is Settlement.ABANDON_AFTER_BACKOFF:
            await self._work_backoff.pause(self._stop)
        else:
            self._work_backoff.succeeded()

    async def _settle(self, message: ReceivedMessage, verdict: Verdict) -> None:
        self._metrics.messages_total.labels(settlement=verdict.settlement).inc()
        try:
            match verdict.settlement:
                case Settlement.COMPLETE:
                    await self._queue.complete(message)
                case Settlement.ABANDON | Settlement.ABANDON_AFTER_BACKOFF:
                    await self._queue.abandon(message)
                case Settlement.DEAD_LETTER:
                    await self._queue.dead_letter(
                        message, reason=verdict.reason, description=verdict.description
                    )
        except (errors.LockLostError, errors.QueueUnavailableError) as error:
            # It comes back when its lock runs out, and finds its result or is worked on again.
            log.warning("settlement_failed", message_id=message.message_id, reason=str(error))

    async def _drain(self) -> bool:
        log.info("draining", in_hand=len(self._in_hand), drain_seconds=self._settings.drain_seconds)
        receiving_ends = asyncio.create_task(self._end_receiving())
        if not await self._all_end_within(self._settings.drain_seconds):
            self._runner.abandon_all()
        await receiving_ends
        if await self._all_end_within(GIVE_UP_SECONDS):
            return True
        log.error("work_left_behind", in_hand=len(self._in_hand))
        left = Verdict(settlement=Settlement.ABANDON, reason="did not end in time")
        await asyncio.gather(*(self._settle(message, left) for message in self._in_hand.values()))
        return False

    async def _end_receiving(self) -> None:
        """What a receive that is under way brings goes back; only then can its credit be withdrawn."""
        if self._receiving is not None:
            message = await self._last_message(self._receiving)
            if message is not None:
                self._take(message)
        await self._queue.withdraw_credit()

    async def _last_message(self, receiving: asyncio.Task[ReceivedMessage | None]) -> ReceivedMessage | None:
        # Cut short only when the broker does not answer: a message that it sends to nobody stays locked.
        limit_seconds = self._settings.receive_wait_seconds + GIVE_UP_SECONDS
        try:
            return await asyncio.wait_for(receiving, limit_seconds)
        except TimeoutError:
            log.warning("receive_cut_short", limit_seconds=limit_seconds)
            return None

    async def _all_end_within(self, seconds: float) -> bool:
        if self._in_hand:
            await asyncio.wait(tuple(self._in_hand), timeout=seconds)
        return not self._in_hand


def _backoff(settings: WorkerSettings) -> Backoff:
    return Backoff(first_seconds=settings.backoff_seconds, longest_seconds=settings.longest_backoff_seconds)
