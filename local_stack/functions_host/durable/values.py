"""What an instance is: its identity, its statuses, and what one turn of it decided."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from local_stack.functions_host.durable import history


class Status(enum.StrEnum):
    """OrchestrationRuntimeStatus, as far as instances here take it."""

    PENDING = "Pending"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    TERMINATED = "Terminated"

    @property
    def is_final(self) -> bool:
        return self in FINAL


FINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.TERMINATED})

# The SDK's handle: context JSON in, reply JSON out. Blocking; called in a thread.
OrchestratorFunction = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Parent:
    """The sub-orchestration task of another instance that this instance answers."""

    instance_id: str
    execution_id: str
    task_id: int


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One run of an instance, start to end. A replaced instance keeps its id and gets a new execution."""

    instance_id: str
    execution_id: str
    name: str
    version: str
    parent: Parent | None = None


def new_execution_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, kw_only=True)
class ActivityTask:
    """One call of an activity; `input_text` is JSON."""

    task_id: int
    name: str
    input_text: str


@dataclass(frozen=True, kw_only=True)
class Timer:
    task_id: int
    fire_at: datetime


@dataclass(frozen=True, kw_only=True)
class Child:
    """A sub-orchestration to start; `input_text` is JSON, as in its ExecutionStarted."""

    task_id: int
    name: str
    version: str
    instance_id: str
    input_text: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one turn decided. It is all stored in one transaction or not at all.

    `output_text` is JSON, or the plain reason of a failed or terminated instance.
    `custom_status_text` is JSON; None leaves the one that is there.
    """

    status: Status
    new_events: tuple[history.Event, ...]
    output_text: str | None = None
    failure_details: str = ""
    custom_status_text: str | None = None
    activities: tuple[ActivityTask, ...] = ()
    timers: tuple[Timer, ...] = ()
    children: tuple[Child, ...] = ()
