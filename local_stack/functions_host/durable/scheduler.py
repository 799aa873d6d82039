"""Runs what is due: turns of orchestrations and activities, each within its limit, woken and never polling.

What is due lives in memory and is filled from the database at start and from each transaction's Effects after
it is on disk, so a crash at any line loses nothing but time.
"""

from __future__ import annotations

import asyncio
import functools
import heapq
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from local_stack.functions_host.durable import (
    activity_runner,
    database,
    instants,
    limits,
    queries,
    store,
    tasks,
    turn,
    values,
)

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 1.0
# An orchestrator only replays; one that takes longer than this works or sleeps where it must not.
_SLOW_TURN_SECONDS = 1.0
_LATEST_TURNS = 1000


@dataclass(frozen=True, kw_only=True)
class Load:
    """How busy the engine is now, and how long its latest turns took from reading to stored."""

    turns_waiting: int
    turns_running: int
    activities_waiting: int
    activities_running: int
    latest_turn_seconds: tuple[float, ...]


class Scheduler:
    """Lives on one event loop; every method is called from it."""

    def __init__(
        self,
        *,
        storage: database.Database,
        app: turn.App,
        activities: Mapping[str, activity_runner.ActivityFunction],
        bounds: limits.DurableLimits,
    ) -> None:
        self._storage = storage
        self._app = app
        self._bounds = bounds
        self._threads = ThreadPoolExecutor(
            bounds.max_concurrent_orchestrators, thread_name_prefix="orchestrator"
        )
        self._is_running = False
        self._ready: deque[str] = deque()
        self._is_ready: set[str] = set()
        self._in_turn: set[str] = set()
        self._woken_in_turn: set[str] = set()
        self._later: list[tuple[str, str]] = []  # a heap of (due, instance_id)
        self._alarm: asyncio.TimerHandle | None = None
        self._turns = tasks.TaskSet()
        self._activities = activity_runner.ActivityRunner(
            storage=storage,
            activities=activities,
            most_at_a_time=bounds.max_concurrent_activities,
            on_stored=self.take,
        )
        self._latest = instants.now()
        self._turn_seconds: deque[float] = deque(maxlen=_LATEST_TURNS)

    async def start(self) -> None:
        """Takes up everything that waits in the database."""
        self._is_running = True
        waiting = await self._storage.read(queries.all_due)
        log.info("durable_started", waiting_messages=len(waiting.wakes), waiting_activities=len(waiting.work))
        self.take(waiting)

    async def stop(self, *, grace_seconds: float) -> None:
        """Takes no more work and lets what is under way end; what does not runs again at the next start."""
        self._is_running = False
        if self._alarm:
            self._alarm.cancel()
        abandoned = await asyncio.gather(
            self._turns.end(grace_seconds=grace_seconds), self._activities.stop(grace_seconds=grace_seconds)
        )
        self._threads.shutdown(wait=False, cancel_futures=True)
        log.info("durable_stopped", abandoned=sum(abandoned))

    def load(self) -> Load:
        return Load(
            turns_waiting=len(self._ready),
            turns_running=len(self._in_turn),
            activities_waiting=self._activities.waiting,
            activities_running=self._activities.running,
            latest_turn_seconds=tuple(self._turn_seconds),
        )

    def take(self, effects: store.Effects) -> None:
        """Learns of what a transaction has brought about."""
        for wake in effects.wakes:
            heapq.heappush(self._later, (wake.due, wake.instance_id))
        self._wake_due()
        self._activities.add(effects.work)

    def _now(self) -> datetime:
        """The clock, never going back: what was found due stays due."""
        self._latest = max(self._latest, instants.now())
        return self._latest

    # What is due.

    def _wake_due(self) -> None:
        """Readies every instance whose time has come and sets the alarm for the next one."""
        now = instants.text(self._now())
        while self._later and self._later[0][0] <= now:
            self._make_ready(heapq.heappop(self._later)[1])
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None
        if self._later and self._is_running:
            seconds = (instants.parse(self._later[0][0]) - instants.now()).total_seconds()
            # An hour at most, so that a clock that was set is noticed.
            self._alarm = asyncio.get_running_loop().call_later(
                min(max(seconds, 0.0), 3600.0), self._wake_due
            )
        self._start_turns()

    def _make_ready(self, instance_id: str) -> None:
        if instance_id in self._in_turn:
            self._woken_in_turn.add(instance_id)
        elif instance_id not in self._is_ready:
            self._is_ready.add(instance_id)
            self._ready.append(instance_id)

    # Turns: one per instance at a time.

    def _start_turns(self) -> None:
        while (
            self._is_running
            and self._ready
            and len(self._in_turn) < self._bounds.max_concurrent_orchestrators
        ):
            instance_id = self._ready.popleft()
            self._is_ready.discard(instance_id)
            self._in_turn.add(instance_id)
            ended = functools.partial(self._turn_ended, instance_id)
            self._turns.start(self._run_turn(instance_id), then=ended)

    async def _run_turn(self, instance_id: str) -> None:
        began = time.monotonic()
        try:
            await self._turn(instance_id)
            self._turn_seconds.append(time.monotonic() - began)
        except Exception:
            # Not the app's doing (that fails its instance): a full disk, say. What was due still is.
            log.exception("turn_not_stored", instance_id=instance_id)
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._wake, instance_id)

    def _turn_ended(self, instance_id: str) -> None:
        self._in_turn.discard(instance_id)
        if instance_id in self._woken_in_turn:
            self._woken_in_turn.discard(instance_id)
            self._make_ready(instance_id)
        self._start_turns()

    def _wake(self, instance_id: str) -> None:
        self._make_ready(instance_id)
        self._start_turns()

    async def _turn(self, instance_id: str) -> None:
        loaded = await self._storage.read(
            functools.partial(queries.load_turn, instance_id=instance_id, now=self._now())
        )
        if loaded is None:
            return
        logger = log.bind(instance_id=instance_id, execution_id=loaded.execution.execution_id)
        outcome = await self._outcome(loaded, logger)
        if outcome is None:
            return
        end = functools.partial(
            store.end_turn,
            execution=loaded.execution,
            played=len(loaded.past),
            consumed=loaded.inbox_ids,
            outcome=outcome,
            now=instants.now(),
        )
        effects = await self._storage.commit(
            database.CommitPoint.TURN_ENDED,
            end,
            on_committed=lambda stored: self.take(stored or store.Effects()),
        )
        if effects is None:
            logger.info("turn_discarded", reason="the instance was purged or replaced meanwhile")
        else:
            _log_turn(logger, loaded, outcome, effects)

    async def _outcome(self, loaded: queries.LoadedTurn, logger: Any) -> values.Outcome | None:
        """None for an instance that must wait for another version of the app."""
        this = turn.Turn(execution=loaded.execution, past=loaded.past, inbox=loaded.inbox, now=instants.now())
        if not self._bounds.may_run(loaded.execution.version):
            if self._bounds.version_failure is limits.VersionFailure.REJECT:
                logger.warning(
                    "version_rejected",
                    version=loaded.execution.version,
                    own_version=self._bounds.default_version,
                )
                return None
            return turn.fail(this, "Orchestration version did not comply with Worker Versioning")
        running = asyncio.get_running_loop().run_in_executor(self._threads, turn.run, this, self._app)
        done, _ = await asyncio.wait({running}, timeout=_SLOW_TURN_SECONDS)
        if not done:  # it cannot be stopped, only named
            logger.warning("turn_slow", orchestrator=loaded.execution.name, seconds=_SLOW_TURN_SECONDS)
        return await running


def _log_turn(
    logger: Any, loaded: queries.LoadedTurn, outcome: values.Outcome, effects: store.Effects
) -> None:
    name = loaded.execution.name
    if not loaded.past:
        logger.info("orchestration_started", orchestrator=name, version=loaded.execution.version)
    if outcome.status is values.Status.RUNNING:
        logger.debug("turn_ended", orchestrator=name, events=len(loaded.past) + len(outcome.new_events))
        return
    event = f"orchestration_{outcome.status.value.lower()}"
    level = logger.warning if outcome.status is values.Status.FAILED else logger.info
    level(event, orchestrator=name, dropped_messages=effects.dropped_messages)
