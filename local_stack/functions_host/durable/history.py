"""History events: the values an orchestration's past is made of, and their JSON.

Kinds and field names are DurableTask.Core's (EventType, TaskScheduledId, …), because the SDK reads them
from the context JSON. https://github.com/Azure/durabletask/tree/main/src/DurableTask.Core/History
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


class Kind(enum.IntEnum):
    """DurableTask.Core's EventType, as far as this host writes it."""

    EXECUTION_STARTED = 0
    EXECUTION_COMPLETED = 1
    EXECUTION_TERMINATED = 3
    TASK_SCHEDULED = 4
    TASK_COMPLETED = 5
    TASK_FAILED = 6
    SUB_ORCHESTRATION_CREATED = 7
    SUB_ORCHESTRATION_COMPLETED = 8
    SUB_ORCHESTRATION_FAILED = 9
    TIMER_CREATED = 10
    TIMER_FIRED = 11
    ORCHESTRATOR_STARTED = 12
    ORCHESTRATOR_COMPLETED = 13
    EVENT_RAISED = 15


# The names that showHistory answers carry.
NAMES: Mapping[Kind, str] = {
    Kind.EXECUTION_STARTED: "ExecutionStarted",
    Kind.EXECUTION_COMPLETED: "ExecutionCompleted",
    Kind.EXECUTION_TERMINATED: "ExecutionTerminated",
    Kind.TASK_SCHEDULED: "TaskScheduled",
    Kind.TASK_COMPLETED: "TaskCompleted",
    Kind.TASK_FAILED: "TaskFailed",
    Kind.SUB_ORCHESTRATION_CREATED: "SubOrchestrationInstanceCreated",
    Kind.SUB_ORCHESTRATION_COMPLETED: "SubOrchestrationInstanceCompleted",
    Kind.SUB_ORCHESTRATION_FAILED: "SubOrchestrationInstanceFailed",
    Kind.TIMER_CREATED: "TimerCreated",
    Kind.TIMER_FIRED: "TimerFired",
    Kind.ORCHESTRATOR_STARTED: "OrchestratorStarted",
    Kind.ORCHESTRATOR_COMPLETED: "OrchestratorCompleted",
    Kind.EVENT_RAISED: "EventRaised",
}


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event. `event_id` is the id of the work it schedules, -1 for every other kind."""

    kind: Kind
    timestamp: str
    event_id: int = -1
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def task_id(self) -> int:
        """The id of the work that a completion (or a fired timer) answers."""
        key = "TimerId" if self.kind is Kind.TIMER_FIRED else "TaskScheduledId"
        return int(self.fields[key])

    @property
    def name(self) -> str:
        return str(self.fields["Name"])

    def as_dict(self, *, is_played: bool) -> dict[str, Any]:
        """As the extension hands it to the SDK."""
        head = {"EventType": int(self.kind), "EventId": self.event_id, "IsPlayed": is_played}
        return {**head, "Timestamp": self.timestamp, **self.fields}


def dumps(event: Event) -> str:
    """The event as it is stored."""
    return json.dumps([int(event.kind), event.event_id, event.timestamp, event.fields], separators=(",", ":"))


def loads(text: str) -> Event:
    """Reads back what `dumps` wrote."""
    kind, event_id, timestamp, fields = json.loads(text)
    return Event(kind=Kind(kind), event_id=event_id, timestamp=timestamp, fields=fields)


def execution_started(
    *, at: str, name: str, version: str, input_text: str | None, instance_id: str, execution_id: str
) -> Event:
    """`input_text` is JSON. Version is always there: the SDK fails with AttributeError without it."""
    instance = {"InstanceId": instance_id, "ExecutionId": execution_id}
    fields = {"Name": name, "Version": version, "Input": input_text, "OrchestrationInstance": instance}
    return Event(
        kind=Kind.EXECUTION_STARTED, timestamp=at, fields={**fields, "ParentInstance": None, "Tags": None}
    )


def execution_completed(*, at: str, event_id: int, status: str, result: str | None) -> Event:
    """The last event of an execution; `result` is JSON, or the plain reason of a failure."""
    fields = {"OrchestrationStatus": status, "Result": result}
    return Event(kind=Kind.EXECUTION_COMPLETED, timestamp=at, event_id=event_id, fields=fields)


def execution_terminated(*, at: str, reason: str) -> Event:
    return Event(kind=Kind.EXECUTION_TERMINATED, timestamp=at, fields={"Input": reason})


def event_raised(*, at: str, name: str, input_text: str) -> Event:
    return Event(kind=Kind.EVENT_RAISED, timestamp=at, fields={"Name": name, "Input": input_text})


def orchestrator_started(*, at: str) -> Event:
    return Event(kind=Kind.ORCHESTRATOR_STARTED, timestamp=at)


def orchestrator_completed(*, at: str) -> Event:
    return Event(kind=Kind.ORCHESTRATOR_COMPLETED, timestamp=at)


def task_completed(*, at: str, task_id: int, result: str) -> Event:
    fields = {"TaskScheduledId": task_id, "Result": result}
    return Event(kind=Kind.TASK_COMPLETED, timestamp=at, fields=fields)


def task_failed(*, at: str, task_id: int, reason: str, details: str) -> Event:
    fields = {"TaskScheduledId": task_id, "Reason": reason, "Details": details}
    return Event(kind=Kind.TASK_FAILED, timestamp=at, fields=fields)


def sub_orchestration_completed(*, at: str, task_id: int, result: str | None) -> Event:
    fields = {"TaskScheduledId": task_id, "Result": result}
    return Event(kind=Kind.SUB_ORCHESTRATION_COMPLETED, timestamp=at, fields=fields)


def sub_orchestration_failed(*, at: str, task_id: int, reason: str, details: str) -> Event:
    fields = {"TaskScheduledId": task_id, "Reason": reason, "Details": details}
    return Event(kind=Kind.SUB_ORCHESTRATION_FAILED, timestamp=at, fields=fields)


def timer_fired(*, at: str, task_id: int, fire_at: str) -> Event:
    return Event(kind=Kind.TIMER_FIRED, timestamp=at, fields={"TimerId": task_id, "FireAt": fire_at})


def context_events(past: Iterable[Event], new: Iterable[Event]) -> list[dict[str, Any]]:
    """History as the SDK gets it: everything of earlier turns is played, this turn's events are not.

    `new` starts with this turn's OrchestratorStarted, from which the SDK counts events as new.
    """
    return [event.as_dict(is_played=True) for event in past] + [
        event.as_dict(is_played=False) for event in new
    ]
