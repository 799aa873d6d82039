"""Turns of real SDK orchestrators, played one after the other without storage."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df

from local_stack.functions_host.durable import history, turn, values

NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
AT = "2026-11-20T12:00:00.000000Z"
Orchestrator = Callable[[Any], Any]


def app_of(*functions: Orchestrator) -> turn.App:
    registry = df.DFApp()
    for function in functions:
        registry.orchestration_trigger(context_name="context")(function)
    handles = {each.get_function_name(): each.get_user_function() for each in registry.get_functions()}
    return turn.App(orchestrators=handles, activity_names=("A", "B"), default_version="2.0.0")


def execution(function: Orchestrator, *, parent: values.Parent | None = None) -> values.Execution:
    return values.Execution(
        instance_id="one", execution_id="run", name=function.__name__, version="1.0.0", parent=parent
    )


def started(function: Orchestrator, input_text: str | None = None) -> history.Event:
    return history.execution_started(
        at=AT,
        name=function.__name__,
        version="1.0.0",
        input_text=input_text,
        instance_id="one",
        execution_id="run",
    )


def play(
    function: Orchestrator, *inboxes: Sequence[history.Event], input_text: str | None = None
) -> list[values.Outcome]:
    """Turn after turn, a second apart, the first with ExecutionStarted before its inbox."""
    past: list[history.Event] = []
    outcomes = []
    for number, inbox in enumerate(inboxes):
        arrived = [*([] if number else [started(function, input_text)]), *inbox]
        this = turn.Turn(
            execution=execution(function), past=past, inbox=arrived, now=NOON + timedelta(seconds=number)
        )
        outcomes.append(turn.run(this, app_of(function)))
        past += outcomes[-1].new_events
    return outcomes


def kinds(outcome: values.Outcome) -> list[str]:
    return [history.NAMES[event.kind] for event in outcome.new_events]


def completed(task_id: int, result: Any = None) -> history.Event:
    return history.task_completed(at=AT, task_id=task_id, result=json.dumps(result))


def calls_a(context: Any) -> Generator[Any, Any, Any]:
    result = yield context.call_activity("A", {"n": 1})
    return {"result": result}
