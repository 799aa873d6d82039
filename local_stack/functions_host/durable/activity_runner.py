"""Runs activities: at least once each, so many at a time, each result stored before anyone hears of it."""

from __future__ import annotations

import asyncio
import functools
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from local_stack.functions_host.durable import database, errors, history, instants, store, tasks, turn

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class ActivityInvocation:
    """One call of an activity. `input_text` is JSON. A repeated call has the same ids and input."""

    name: str
    instance_id: str
    execution_id: str
    task_id: int
    input_text: str


# Runs an activity; returns its result as JSON text, raises on failure.
ActivityFunction = Callable[[ActivityInvocation], Awaitable[str]]


class ActivityRunner:
    """Lives on one event loop. `on_stored` hears what a stored result has brought about."""

    def __init__(
        self,
        *,
        storage: database.Database,
        activities: Mapping[str, ActivityFunction],
        most_at_a_time: int,
        on_stored: Callable[[store.Effects], None],
    ) -> None:
        self._storage = storage
        self._activities = activities
        self._most_at_a_time = most_at_a_time
        self._on_stored = on_stored
        self._waiting: deque[store.WorkItem] = deque()
        self._running = tasks.TaskSet()
        self._is_stopped = False

    def add(self, items: Iterable[store.WorkItem]) -> None:
        """Queues activities and begins as many as the limit allows."""
        self._waiting.extend(items)
        while not self._is_stopped and self._waiting and len(self._running) < self._most_at_a_time:
            self._running.start(self._run(self._waiting.popleft()), then=functools.partial(self.add, ()))

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> int:
        return len(self._running)

    async def stop(self, *, grace_seconds: float) -> int:
        """Begins no more; returns how many had to be cancelled. Those run again at the next start."""
        self._is_stopped = True
        return await self._running.end(grace_seconds=grace_seconds)

    async def _run(self, item: store.WorkItem) -> None:
        event = await self._call(item)
        end = functools.partial(store.end_activity, item=item, event=event)
        while True:
            try:
                await self._storage.commit(
                    database.CommitPoint.ACTIVITY_ENDED, end, on_committed=self._on_stored
                )
            except errors.EngineStoppedError:
                return  # the row is there still, for the next start
            except Exception:
                # Not the app's doing (that becomes an event): a full disk, say. The same result is tried
                # again, and not the activity, whose work may cost something.
                log.exception("activity_not_stored", instance_id=item.instance_id, task_id=item.task.task_id)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def _call(self, item: store.WorkItem) -> history.Event:
        """Its result or its failure as an event, the latter in the extension's words."""
        logger = log.bind(
            instance_id=item.instance_id,
            execution_id=item.execution_id,
            activity=item.task.name,
            task_id=item.task.task_id,
        )
        try:
            result = await self._function(item.task.name)(_invocation(item))
        except (Exception, asyncio.CancelledError) as failure:
            if _is_being_cancelled():
                raise
            logger.warning("activity_failed", error=type(failure).__name__)
            return _failed(item.task.name, item.task.task_id, failure)
        logger.debug("activity_completed")
        return history.task_completed(
            at=instants.text(instants.now()), task_id=item.task.task_id, result=result
        )

    def _function(self, name: str) -> ActivityFunction:
        """Raises UnknownFunctionError: an app that changed under a queued call."""
        if name not in self._activities:
            raise errors.UnknownFunctionError(turn.unknown_function(name, "activity", self._activities))
        return self._activities[name]


def _invocation(item: store.WorkItem) -> ActivityInvocation:
    return ActivityInvocation(
        name=item.task.name,
        instance_id=item.instance_id,
        execution_id=item.execution_id,
        task_id=item.task.task_id,
        input_text=item.task.input_text,
    )


def _failed(name: str, task_id: int, failure: BaseException) -> history.Event:
    return history.task_failed(
        at=instants.text(instants.now()),
        task_id=task_id,
        reason=f"Activity function '{name}' failed: {type(failure).__name__}: {failure}",
        details="".join(traceback.format_exception(failure)),
    )


def _is_being_cancelled() -> bool:
    """Whether a CancelledError is the host's stop, and not one that the activity let slip out."""
    task: asyncio.Task[Any] | None = asyncio.current_task()
    return task is not None and task.cancelling() > 0
