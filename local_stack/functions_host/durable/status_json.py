"""Instance status as the extension answers it, history included.

DurableClient.GetDurableOrchestrationStatusAsync of the extension is the source of what is shown and hidden:
scheduling events are folded into their completions, turn markers and ids are left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from local_stack.functions_host.durable import history, instants, queries

_Kind = history.Kind

# A completion absorbs the event that scheduled it.
_SCHEDULED_BY: Mapping[_Kind, _Kind] = {
    _Kind.TASK_COMPLETED: _Kind.TASK_SCHEDULED,
    _Kind.TASK_FAILED: _Kind.TASK_SCHEDULED,
    _Kind.SUB_ORCHESTRATION_COMPLETED: _Kind.SUB_ORCHESTRATION_CREATED,
    _Kind.SUB_ORCHESTRATION_FAILED: _Kind.SUB_ORCHESTRATION_CREATED,
}
_WITH_RESULT = frozenset({_Kind.TASK_COMPLETED, _Kind.SUB_ORCHESTRATION_COMPLETED, _Kind.EXECUTION_COMPLETED})
_HIDDEN_EVENTS = frozenset({_Kind.ORCHESTRATOR_STARTED, _Kind.ORCHESTRATOR_COMPLETED})
_HIDDEN_FIELDS = frozenset(
    {"TaskScheduledId", "TimerId", "Version", "OrchestrationInstance", "ParentInstance", "Tags"}
)


def payload(
    status: queries.InstanceStatus, *, show_input: bool = True, show_history_output: bool = False
) -> dict[str, Any]:
    """The JSON object of one instance; `historyEvents` is None unless the history was asked for."""
    events = status.history
    return {
        "name": status.name,
        "instanceId": status.instance_id,
        "runtimeStatus": status.status.value,
        "input": _value(status.input_text) if show_input else None,
        "customStatus": _value(status.custom_status_text),
        "output": _value(status.output_text),
        "createdTime": instants.seconds_text(status.created_at),
        "lastUpdatedTime": instants.seconds_text(status.updated_at),
        "historyEvents": None
        if events is None
        else _history(events, show_input=show_input, show_output=show_history_output),
    }


def _value(text: str | None) -> Any:
    """Stored JSON as JSON; what is no JSON (the reason of a failure or a termination) as the text it is."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _history(events: Sequence[history.Event], *, show_input: bool, show_output: bool) -> list[dict[str, Any]]:
    scheduled = {event.event_id: event for event in events if event.kind in _SCHEDULED_BY.values()}
    answered = {
        event.task_id for event in events if event.kind in _SCHEDULED_BY and event.task_id in scheduled
    }
    return [
        _shown(event, scheduled, show_input=show_input, show_output=show_output)
        for event in events
        if event.kind not in _HIDDEN_EVENTS
        and not (event.kind in _SCHEDULED_BY.values() and event.event_id in answered)
    ]


def _shown(
    event: history.Event, scheduled: Mapping[int, history.Event], *, show_input: bool, show_output: bool
) -> dict[str, Any]:
    shown = {"EventType": history.NAMES[event.kind], "Timestamp": event.timestamp}
    shown |= {key: value for key, value in event.fields.items() if key not in _HIDDEN_FIELDS}
    if event.kind in _SCHEDULED_BY and event.task_id in scheduled:
        origin = scheduled[event.task_id]
        shown |= {
            "ScheduledTime": origin.timestamp,
            "FunctionName": origin.name,
            "Input": origin.fields["Input"],
        }
    elif event.kind is _Kind.EXECUTION_STARTED:
        shown["FunctionName"] = shown.pop("Name")
    if event.kind in _WITH_RESULT:
        result = shown.pop("Result", None)
        if show_output:
            shown["Result"] = _value(result)
    if not show_input:
        shown.pop("Input", None)
    return shown
