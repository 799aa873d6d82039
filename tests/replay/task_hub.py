"""A task hub in memory: drives orchestrators through the SDK's real replay, without clock or network.

Each turn is the local Functions host's own pure turn: the SDK replays the whole history, then the extension's
loop finds the new work, its rough edges included. The test is the world: it answers activities, raises events
and chooses which of the waiting things happens next.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from function_app import orchestrators
from local_stack.functions_host.durable import history, instants, turn, values

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

ACTIVITIES = (
    "begin_run",
    "dispatch_step",
    "reconcile_step",
    "begin_transcription",
    "record_step",
    "record_chunk",
    "skip_step",
    "merge_transcript",
    "take_transcript",
    "translate",
    "summarize",
    "finish_run",
    "fail_run",
)


class ActivityError(Exception):
    """What a test's activity raises to fail."""


@dataclass(frozen=True, kw_only=True)
class Happening:
    """Something that may come next: an activity's end, a timer, an event."""

    instance_id: str
    kind: str
    detail: str
    event: Callable[[], history.Event]
    due: datetime = START
    task_id: int = -1


@dataclass(kw_only=True)
class Instance:
    """One orchestration with its history."""

    execution: values.Execution
    past: list[history.Event] = field(default_factory=list)
    inbox: list[history.Event] = field(default_factory=list)
    status: values.Status = values.Status.PENDING
    output: Any = None
    custom_status: Any = None

    @property
    def is_final(self) -> bool:
        return self.status.is_final


def _functions() -> dict[str, values.OrchestratorFunction]:
    found = {}
    for builder in orchestrators.blueprint._function_builders:
        function = builder._function
        found[function._func.__name__] = function._func
    return found


ORCHESTRATORS: Mapping[str, values.OrchestratorFunction] = _functions()

Activity = Callable[[dict[str, Any]], Any]
Chooser = Callable[[list[Happening]], Happening]


def in_order(waiting: list[Happening]) -> Happening:
    """Whatever waits longest; timers only when nothing else can happen, earliest first."""
    ready = [happening for happening in waiting if happening.kind != "timer"]
    return ready[0] if ready else min(waiting, key=lambda happening: happening.due)


class TaskHub:
    """Instances, what they wait for, and a clock that only timers move."""

    def __init__(
        self, activities: Mapping[str, Activity], *, choose: Chooser = in_order, version: str = "1.0"
    ) -> None:
        self.activities = dict(activities)
        self.choose = choose
        self.version = version
        self.now = START
        self.instances: dict[str, Instance] = {}
        self.waiting: list[Happening] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.fired: list[tuple[str, datetime]] = []
        self.dropped: list[str] = []

    # What the world does.

    def start(self, name: str, instance_id: str, given: Any) -> Instance:
        return self._start(name, instance_id, json.dumps(json.dumps(given)), parent=None)

    def raise_event(self, instance_id: str, name: str, value: Any) -> None:
        """Now, as the Durable client raises a dict: it arrives as a string of JSON."""
        instance = self.instances.get(instance_id)
        if instance is None or instance.is_final:
            self.dropped.append(name)
            return
        text = json.dumps(json.dumps(value))
        instance.inbox.append(history.event_raised(at=self._at(), name=name, input_text=text))

    def later(self, instance_id: str, name: str, value: Any, *, after: timedelta | None = None) -> None:
        """An event that waits until it is chosen; with `after`, until the clock has come to it."""

        def deliver() -> history.Event:
            return history.event_raised(at=self._at(), name=name, input_text=json.dumps(json.dumps(value)))

        kind = "event" if after is None else "timer"
        due = self.now + (after or timedelta(0))
        self.waiting.append(
            Happening(instance_id=instance_id, kind=kind, detail=name, event=deliver, due=due)
        )

    def run(self, instance_id: str, *, most_turns: int = 2000) -> Instance:
        """Until the instance is over or nothing can happen any more."""
        for _ in range(most_turns):
            if self.instances[instance_id].is_final:
                break
            if not self._step():
                break
        return self.instances[instance_id]

    def run_dry(self) -> None:
        """Lets everything happen that can."""
        while self._step():
            pass

    # Turns.

    def _step(self) -> bool:
        for instance in self.instances.values():
            if instance.inbox and not instance.is_final:
                self._turn(instance)
                return True
        self.waiting = [w for w in self.waiting if self._is_wanted(w)]
        if not self.waiting:
            return False
        chosen = self.choose(list(self.waiting))
        self.waiting.remove(chosen)
        self._happen(chosen)
        return True

    def _is_wanted(self, happening: Happening) -> bool:
        instance = self.instances.get(happening.instance_id)
        return instance is not None and not instance.is_final

    def _happen(self, chosen: Happening) -> None:
        if chosen.kind == "timer":
            self.now = max(self.now, chosen.due)
            self.fired.append((chosen.detail, chosen.due))
        event = chosen.event()
        self.instances[chosen.instance_id].inbox.append(event)

    def _turn(self, instance: Instance) -> None:
        inbox, instance.inbox = instance.inbox, []
        facts = turn.Turn(execution=instance.execution, past=tuple(instance.past), inbox=inbox, now=self.now)
        app = turn.App(orchestrators=ORCHESTRATORS, activity_names=ACTIVITIES, default_version=self.version)
        outcome = turn.run(facts, app)
        instance.past += outcome.new_events
        instance.status = outcome.status
        if outcome.custom_status_text:
            instance.custom_status = json.loads(outcome.custom_status_text)
        self._schedule(instance, outcome)
        if instance.is_final:
            self._end(instance, outcome)

    def _schedule(self, instance: Instance, outcome: values.Outcome) -> None:
        instance_id = instance.execution.instance_id
        for activity in outcome.activities:
            self._schedule_activity(instance_id, activity)
        for timer in outcome.timers:
            self._schedule_timer(instance_id, timer)
        for child in outcome.children:
            parent = values.Parent(
                instance_id=instance_id,
                execution_id=instance.execution.execution_id,
                task_id=child.task_id,
            )
            self._start(child.name, child.instance_id, child.input_text, parent=parent)

    def _schedule_activity(self, instance_id: str, activity: values.ActivityTask) -> None:
        def perform() -> history.Event:
            given = json.loads(activity.input_text)
            self.calls.append((activity.name, given))
            try:
                result = self.activities[activity.name](given)
            except ActivityError as error:
                reason = f"Activity function '{activity.name}' failed: {error}"
                return history.task_failed(at=self._at(), task_id=activity.task_id, reason=reason, details="")
            return history.task_completed(at=self._at(), task_id=activity.task_id, result=json.dumps(result))

        self.waiting.append(
            Happening(
                instance_id=instance_id,
                kind="activity",
                detail=activity.name,
                event=perform,
                task_id=activity.task_id,
            )
        )

    def _schedule_timer(self, instance_id: str, timer: values.Timer) -> None:
        def fire() -> history.Event:
            return history.timer_fired(
                at=self._at(), task_id=timer.task_id, fire_at=instants.text(timer.fire_at)
            )

        self.waiting.append(
            Happening(
                instance_id=instance_id,
                kind="timer",
                detail="timer",
                event=fire,
                due=timer.fire_at,
                task_id=timer.task_id,
            )
        )

    def _start(
        self, name: str, instance_id: str, input_text: str, *, parent: values.Parent | None
    ) -> Instance:
        execution = values.Execution(
            instance_id=instance_id,
            execution_id=f"execution-{len(self.instances)}",
            name=name,
            version=self.version,
            parent=parent,
        )
        started = history.execution_started(
            at=self._at(),
            name=name,
            version=self.version,
            input_text=input_text,
            instance_id=instance_id,
            execution_id=execution.execution_id,
        )
        instance = Instance(execution=execution, inbox=[started])
        self.instances[instance_id] = instance
        return instance

    def _end(self, instance: Instance, outcome: values.Outcome) -> None:
        if instance.status is values.Status.COMPLETED:
            instance.output = json.loads(outcome.output_text or "null")
        else:
            instance.output = outcome.output_text
        if parent := instance.execution.parent:
            self._answer(parent, instance, outcome)

    def _answer(self, parent: values.Parent, instance: Instance, outcome: values.Outcome) -> None:
        if instance.status is values.Status.COMPLETED:
            event = history.sub_orchestration_completed(
                at=self._at(), task_id=parent.task_id, result=outcome.output_text
            )
        else:
            event = history.sub_orchestration_failed(
                at=self._at(),
                task_id=parent.task_id,
                reason=str(outcome.output_text),
                details=outcome.failure_details,
            )
        self.instances[parent.instance_id].inbox.append(event)

    def _at(self) -> str:
        return instants.text(self.now)
