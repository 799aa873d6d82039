"""One turn of an orchestration, pure: its history and what has arrived since, in; what to store and do, out.

The turn runs the orchestrator function on the whole history (the SDK's replay), then the extension's own loop
over the returned actions (replayer), and takes what has no event yet as new work.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from local_stack.functions_host.durable import actions, errors, history, instants, replayer, values

_W = TypeVar("_W")
_E = TypeVar("_E")


@dataclass(frozen=True, kw_only=True)
class App:
    """What of the app a turn needs to know."""

    orchestrators: Mapping[str, values.OrchestratorFunction]
    activity_names: Collection[str]
    default_version: str = ""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One turn's facts. `inbox` is never empty and, in the first turn, holds ExecutionStarted."""

    execution: values.Execution
    past: Sequence[history.Event]
    inbox: Sequence[history.Event]
    now: datetime

    @property
    def events(self) -> tuple[history.Event, ...]:
        """This turn's events. The SDK wants ExecutionStarted second in the history, so it goes first."""
        arrived = sorted(self.inbox, key=lambda event: event.kind is not history.Kind.EXECUTION_STARTED)
        return (history.orchestrator_started(at=self.at), *arrived)

    @property
    def at(self) -> str:
        """This turn's time: the clock's, but never before the last event, whatever the clock did."""
        return max([instants.text(self.now)] + [event.timestamp for event in self.past[-1:]])


def run(turn: Turn, app: App) -> values.Outcome:
    """Runs the turn; whatever the orchestrator does wrong becomes a failed instance, never an exception."""
    terminated = next(
        (event for event in turn.inbox if event.kind is history.Kind.EXECUTION_TERMINATED), None
    )
    if terminated:
        return _end(turn, values.Status.TERMINATED, terminated.fields["Input"])
    try:
        return _advance(turn, app)
    except errors.OrchestrationFailureError as failure:
        return _fail(turn, str(failure), details=failure.details)
    except errors.DurableError as failure:
        return _fail(turn, f"Orchestrator function '{turn.execution.name}' failed: {failure}")


def fail(turn: Turn, reason: str) -> values.Outcome:
    """The turn of an instance that must not run: it fails for that reason."""
    return _fail(turn, reason)


def _advance(turn: Turn, app: App) -> values.Outcome:
    reply = actions.parse_reply(_call(turn, app))
    replay = _replay(turn, reply)
    work = replay.new_work
    for item in work.values():
        _require_known(item, turn.execution, app)
    custom_status = None if reply.custom_status is None else json.dumps(reply.custom_status)
    base = _Decisions(turn=turn, app=app, work=work, custom_status_text=custom_status)
    if replay.open_ids or not replay.has_awaited_all:
        return base.outcome(values.Status.RUNNING)
    if reply.error:
        reason = f"Orchestrator function '{turn.execution.name}' failed: {reply.error}"
        return base.outcome(
            values.Status.FAILED, reason, details=f"Message: {reply.error}", last_id=replay.next_id
        )
    if reply.is_done:
        return base.outcome(values.Status.COMPLETED, json.dumps(reply.output), last_id=replay.next_id)
    return base.outcome(values.Status.RUNNING)


def _call(turn: Turn, app: App) -> str:
    """The orchestrator's reply; a failed orchestrator's reply is in its exception."""
    name = turn.execution.name
    function = app.orchestrators.get(name)
    if function is None:
        raise errors.OrchestrationFailureError(unknown_function(name, "orchestrator", app.orchestrators))
    try:
        return function(_context(turn))
    except (Exception, SystemExit) as failure:
        reply = actions.reply_in_failure(str(failure))
        if reply is None:
            reason = f"Orchestrator function '{name}' failed: {type(failure).__name__}: {failure}"
            details = "".join(traceback.format_exception(failure))
            raise errors.OrchestrationFailureError(reason, details=details) from failure
        return reply


def _context(turn: Turn) -> str:
    """What the orchestration trigger receives; without the two timer durations the SDK has no long timers."""
    events = history.context_events(turn.past, turn.events)
    started = _started(turn)
    input_text = started.fields["Input"]
    context: dict[str, Any] = {
        "history": events,
        # Decoded once, as the extension does: the SDK's clients send a JSON string that holds JSON.
        "input": None if input_text is None else json.loads(input_text),
        "instanceId": turn.execution.instance_id,
        "isReplaying": bool(turn.past),
        "parentInstanceId": turn.execution.parent.instance_id if turn.execution.parent else None,
        "upperSchemaVersion": 1,
        "upperSchemaVersionNew": 2,
        "defaultHttpAsyncRequestSleepTimeMillseconds": 30000,
    }
    return json.dumps(context)


def _started(turn: Turn) -> history.Event:
    for event in (*turn.past, *turn.events):
        if event.kind is history.Kind.EXECUTION_STARTED:
            return event
    raise errors.OrchestrationFailureError(
        f"instance '{turn.execution.instance_id}' has no ExecutionStarted event"
    )


def _replay(turn: Turn, reply: actions.Reply) -> replayer.Replayer:
    whole = (*turn.past, *turn.events)
    replay = replayer.Replayer(reply.actions, started_at=instants.parse(whole[0].timestamp))
    replay.feed(whole)
    return replay


def unknown_function(name: str, kind: str, known: Collection[str]) -> str:
    """The extension's words for a name that is no such function."""
    names = "', '".join(sorted(known))
    return (
        f"The function '{name}' doesn't exist, is disabled, or is not an {kind} function. "
        f"Additional info: The following are the known {kind} functions: '{names}'."
    )


def _require_known(item: actions.Work, execution: values.Execution, app: App) -> None:
    """Fails an instance that calls what is not there (in Azure it hangs: the loop swallows that error)."""
    if isinstance(item, actions.CallActivity) and item.name not in app.activity_names:
        raise errors.UnknownFunctionError(unknown_function(item.name, "activity", app.activity_names))
    if isinstance(item, actions.CallSubOrchestrator):
        if item.name not in app.orchestrators:
            raise errors.UnknownFunctionError(unknown_function(item.name, "orchestrator", app.orchestrators))
        parent_id = execution.parent.instance_id if execution.parent else None
        if item.instance_id and item.instance_id in (execution.instance_id, parent_id):
            raise errors.InvalidInstanceIdError(
                "The instance ID of a sub-orchestration must be different than the instance ID"
                " of a parent orchestration."
            )


def _fail(turn: Turn, reason: str, *, details: str = "") -> values.Outcome:
    return _end(turn, values.Status.FAILED, reason, details=details)


def _end(turn: Turn, status: values.Status, output: str, *, details: str = "") -> values.Outcome:
    """An end without any of the work that the orchestrator may have wanted."""
    decisions = _Decisions(
        turn=turn, app=App(orchestrators={}, activity_names=()), work={}, custom_status_text=None
    )
    return decisions.outcome(status, output, details=details)


@dataclass(frozen=True, kw_only=True)
class _Decisions:
    """New work on its way into history events and effects."""

    turn: Turn
    app: App
    work: Mapping[int, actions.Work]
    custom_status_text: str | None

    def outcome(
        self, status: values.Status, output: str | None = None, *, details: str = "", last_id: int = -1
    ) -> values.Outcome:
        decided = [self._scheduled(task_id, item) for task_id, item in sorted(self.work.items())]
        if status.is_final:
            decided.append(
                history.execution_completed(at=self.turn.at, event_id=last_id, status=status, result=output)
            )
        events = (*self.turn.events, *decided, history.orchestrator_completed(at=self.turn.at))
        return values.Outcome(
            status=status,
            new_events=events,
            output_text=_writable(output),
            failure_details=details,
            custom_status_text=self.custom_status_text,
            activities=self._effects(actions.CallActivity, _activity),
            timers=self._effects(actions.CreateTimer, _timer),
            children=self._effects(actions.CallSubOrchestrator, self._child),
        )

    def _effects(self, kind: type[_W], make: Callable[[int, _W], _E]) -> tuple[_E, ...]:
        return tuple(
            make(task_id, item) for task_id, item in sorted(self.work.items()) if isinstance(item, kind)
        )

    def _scheduled(self, task_id: int, item: actions.Work) -> history.Event:
        if isinstance(item, actions.CreateTimer):
            kind, fields = history.Kind.TIMER_CREATED, {"FireAt": instants.text(item.fire_at)}
        elif isinstance(item, actions.CallActivity):
            kind = history.Kind.TASK_SCHEDULED
            fields = {"Name": item.name, "Version": "", "Input": json.dumps([item.input_text])}
        else:
            child = self._child(task_id, item)
            kind = history.Kind.SUB_ORCHESTRATION_CREATED
            fields = {"Name": child.name, "InstanceId": child.instance_id, "Version": child.version}
            fields["Input"] = child.input_text
        return history.Event(kind=kind, event_id=task_id, timestamp=self.turn.at, fields=fields)

    def _child(self, task_id: int, item: actions.CallSubOrchestrator) -> values.Child:
        return values.Child(
            task_id=task_id,
            name=item.name,
            version=self.app.default_version if item.version is None else item.version,
            # DurableTask.Core's own rule, so it is the same on every replay.
            instance_id=item.instance_id or f"{self.turn.execution.execution_id}:{task_id}",
            input_text=json.dumps(item.input_text),
        )


def _writable(text: str | None) -> str | None:
    """Half a surrogate pair, which an exception's words may hold, has no UTF-8: it is shown escaped."""
    return text and text.encode("utf-8", "backslashreplace").decode()


def _activity(task_id: int, item: actions.CallActivity) -> values.ActivityTask:
    return values.ActivityTask(task_id=task_id, name=item.name, input_text=item.input_text or "null")


def _timer(task_id: int, item: actions.CreateTimer) -> values.Timer:
    return values.Timer(task_id=task_id, fire_at=item.fire_at)
