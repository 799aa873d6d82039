"""The extension's own loop over an orchestrator's actions: which action is which event of the history.

Actions carry no ids. The extension finds them by running its own loop: create action i, wait for it while
the history is fed in order, then action i+1 (OutOfProcOrchestrationShim.ProcessAsyncActionsV2). Each
activity, timer and sub-orchestration takes the next number as it is created, children from left to right;
waits for events take none. Whatever was created and has no event in the history is new work.

This loop sees less than the SDK does, which is where the known traps of Durable Functions in Python come
from; it must stay as it is, or the local host would pass what hangs in Azure.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from local_stack.functions_host.durable import actions, errors, history, instants, promises

_SCHEDULED_AS: Mapping[history.Kind, type[actions.Work]] = {
    history.Kind.TASK_SCHEDULED: actions.CallActivity,
    history.Kind.SUB_ORCHESTRATION_CREATED: actions.CallSubOrchestrator,
    history.Kind.TIMER_CREATED: actions.CreateTimer,
}


class Replayer:
    """One replay of one orchestration. Feed it the events after ExecutionStarted, in order; then read it."""

    def __init__(self, wanted: Sequence[actions.Action], *, started_at: datetime) -> None:
        self._current_time = started_at
        self._next_id = 0
        self._open: dict[int, promises.Promise] = {}
        self._unscheduled: dict[int, actions.Work] = {}
        self._waiters: defaultdict[str, list[promises.Promise]] = defaultdict(list)
        self._buffered: defaultdict[str, deque[None]] = defaultdict(deque)
        self._creators: Mapping[type[actions.Action], Callable[[Any], promises.Promise]] = {
            actions.CallActivity: self._call,
            actions.CallSubOrchestrator: self._call,
            actions.CreateTimer: self._create_timer,
            actions.WaitForEvent: self._wait_for_event,
            actions.WhenAll: self._when_all,
            actions.WhenAny: self._when_any,
        }
        self._handlers: Mapping[history.Kind, Callable[[history.Event], None]] = {
            history.Kind.ORCHESTRATOR_STARTED: self._on_orchestrator_started,
            history.Kind.TASK_SCHEDULED: self._on_scheduled,
            history.Kind.SUB_ORCHESTRATION_CREATED: self._on_scheduled,
            history.Kind.TIMER_CREATED: self._on_scheduled,
            history.Kind.TASK_COMPLETED: self._on_completed,
            history.Kind.SUB_ORCHESTRATION_COMPLETED: self._on_completed,
            history.Kind.TIMER_FIRED: self._on_completed,
            history.Kind.TASK_FAILED: self._on_failed,
            history.Kind.SUB_ORCHESTRATION_FAILED: self._on_failed,
            history.Kind.EVENT_RAISED: self._on_event_raised,
        }
        self._main = promises.spawn(self._await_in_order(wanted))

    @property
    def new_work(self) -> dict[int, actions.Work]:
        """What was created without an event in the history that schedules it, by id."""
        return dict(self._unscheduled)

    @property
    def has_awaited_all(self) -> bool:
        """Whether the loop came to its end: every action done, in order."""
        return self._main.is_done

    @property
    def open_ids(self) -> frozenset[int]:
        """Activities, timers and sub-orchestrations under way: while there is one, nothing completes."""
        return frozenset(self._open)

    @property
    def next_id(self) -> int:
        return self._next_id

    def feed(self, events: Iterable[history.Event]) -> None:
        """Plays events. Raises NonDeterministicError where history and replay differ."""
        for event in events:
            if event.kind in self._handlers:
                self._handlers[event.kind](event)

    # Events, one handler per kind.

    def _on_orchestrator_started(self, event: history.Event) -> None:
        self._current_time = instants.parse(event.timestamp)

    def _on_scheduled(self, event: history.Event) -> None:
        work = self._unscheduled.get(event.event_id)
        if not isinstance(work, _SCHEDULED_AS[event.kind]) or _is_renamed(work, event):
            raise errors.NonDeterministicError(_difference(event, work))
        del self._unscheduled[event.event_id]

    def _on_completed(self, event: history.Event) -> None:
        self._settle(event.task_id, failed=False)

    def _on_failed(self, event: history.Event) -> None:
        self._settle(event.task_id, failed=True)

    def _settle(self, task_id: int, *, failed: bool) -> None:
        promise = self._open.pop(task_id, None)
        if promise:  # else a duplicate, or a cancelled timer that fired all the same
            promise.settle(failed=failed)

    def _on_event_raised(self, event: history.Event) -> None:
        """The latest waiter takes it (a stack); with no waiter it is kept, first in first out.

        The extension ignores the case of names; the SDK does not.
        """
        name = event.name.casefold()
        if self._waiters[name]:
            self._waiters[name].pop().settle()
        else:
            self._buffered[name].append(None)

    # Actions, one handler per kind.

    def _create(self, action: actions.Action) -> promises.Promise:
        return self._creators[type(action)](action)

    def _create_work(self, work: actions.Work) -> promises.Promise:
        task_id = self._next_id
        self._next_id += 1
        promise = self._open[task_id] = promises.Promise()
        self._unscheduled[task_id] = work
        return promise

    def _call(self, action: actions.CallActivity | actions.CallSubOrchestrator) -> promises.Promise:
        if action.retry:
            return promises.spawn(self._retry(action, action.retry))
        return self._create_work(action)

    def _create_timer(self, action: actions.CreateTimer) -> promises.Promise:
        promise = self._create_work(action)
        if action.is_cancelled:
            # A cancelled timer is done from the moment it is created, on every later replay too.
            self._open.pop(self._next_id - 1)
            promise.settle(failed=True)
        return promise

    def _wait_for_event(self, action: actions.WaitForEvent) -> promises.Promise:
        name, promise = action.name.casefold(), promises.Promise()
        if self._buffered[name]:
            self._buffered[name].popleft()
            promise.settle()
        else:
            self._waiters[name].append(promise)
        return promise

    def _when_all(self, action: actions.WhenAll) -> promises.Promise:
        """Done when every child is, a failed one notwithstanding: the SDK resumes at the first failure."""
        children = [self._create(child) for child in action.children]
        return promises.when(children, lambda: all(child.is_done for child in children))

    def _when_any(self, action: actions.WhenAny) -> promises.Promise:
        children = [self._create(child) for child in action.children]
        return promises.when(children, lambda: any(child.is_done for child in children) or not children)

    # Coroutines.

    def _await_in_order(self, wanted: Sequence[actions.Action]) -> promises.Coroutine:
        """A failure does not end the loop: how the orchestrator takes it shows in the actions that follow."""
        for action in wanted:
            yield self._create(action)
        return False

    def _retry(
        self, action: actions.CallActivity | actions.CallSubOrchestrator, retry: actions.Retry
    ) -> promises.Coroutine:
        """DurableTask.Core's RetryInterceptor, with its one extra timer after the last failed attempt."""
        for attempt in range(1, retry.max_attempts + 1):
            call = self._create_work(action)
            yield call
            if not call.has_failed:
                return False
            is_last = attempt == retry.max_attempts
            delay_until = self._current_time if is_last else self._current_time + retry.interval
            yield self._create_work(actions.CreateTimer(fire_at=delay_until))
        return True


def _is_renamed(work: actions.Work, event: history.Event) -> bool:
    return not isinstance(work, actions.CreateTimer) and work.name.casefold() != event.name.casefold()


def _difference(event: history.Event, work: actions.Work | None) -> str:
    then = history.NAMES[event.kind] + (f" '{event.fields['Name']}'" if "Name" in event.fields else "")
    now = f"produced {type(work).__name__}" if work else "has not scheduled it"
    if work and not isinstance(work, actions.CreateTimer):
        now += f" '{work.name}'"
    return (
        f"Non-deterministic orchestrator: a previous execution recorded {then} with sequence number "
        f"{event.event_id}, but the current replay {now}. Was the orchestrator changed after this instance "
        "started, or does it depend on something else than its input and its history?"
    )
