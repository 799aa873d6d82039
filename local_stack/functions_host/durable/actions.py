"""What an orchestrator asks for: the JSON that the SDK returns, parsed into values.

Action numbers and names are those of the out-of-process protocol
(azure.durable_functions.models.actions.ActionType).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from local_stack.functions_host.durable import errors, instants

_OUT_OF_PROC_MARK = "\n\n$OutOfProcData$:"


@dataclass(frozen=True, kw_only=True)
class Retry:
    """A retry policy: the same interval before each further attempt."""

    interval: timedelta
    max_attempts: int


@dataclass(frozen=True, kw_only=True)
class CallActivity:
    name: str
    input_text: str | None
    retry: Retry | None = None


@dataclass(frozen=True, kw_only=True)
class CallSubOrchestrator:
    name: str
    input_text: str | None
    instance_id: str | None
    version: str | None
    retry: Retry | None = None


@dataclass(frozen=True, kw_only=True)
class CreateTimer:
    fire_at: datetime
    is_cancelled: bool = False


@dataclass(frozen=True, kw_only=True)
class WaitForEvent:
    name: str


@dataclass(frozen=True, kw_only=True)
class WhenAll:
    children: tuple[Action, ...]


@dataclass(frozen=True, kw_only=True)
class WhenAny:
    children: tuple[Action, ...]


Work = CallActivity | CallSubOrchestrator | CreateTimer
Action = Work | WaitForEvent | WhenAll | WhenAny


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer of an orchestrator function: every action since the start, and its end if it has one."""

    is_done: bool
    actions: tuple[Action, ...]
    output: Any = None
    error: str | None = None
    custom_status: Any = None


def parse_reply(text: str) -> Reply:
    """Reads what the SDK's handle returned.

    Raises NotBuiltError for an action that this host does not build, OrchestrationFailureError for text
    that is no such reply.
    """
    try:
        reply = json.loads(text)
        (batch,) = reply["actions"]
    except (ValueError, KeyError, TypeError) as cause:
        raise errors.OrchestrationFailureError(
            "Out of proc orchestrators must return a valid JSON schema"
        ) from cause
    return Reply(
        is_done=reply["isDone"],
        actions=tuple(_parse(action) for action in batch),
        output=reply.get("output"),
        error=reply.get("error"),
        custom_status=reply.get("customStatus"),
    )


def reply_in_failure(message: str) -> str | None:
    """The reply that the SDK hides in a failed orchestrator's exception message; None without one."""
    _, mark, reply = message.partition(_OUT_OF_PROC_MARK)
    return reply if mark else None


def _parse(action: Mapping[str, Any]) -> Action:
    kind = action["actionType"]
    if kind in _NOT_BUILT:
        raise errors.NotBuiltError(f"{_NOT_BUILT[kind]} is not built by the local Functions host")
    if kind not in _PARSERS:
        raise errors.NotBuiltError(f"action type {kind!r} is not built by the local Functions host")
    return _PARSERS[kind](action)


def _call_activity(action: Mapping[str, Any]) -> Action:
    return CallActivity(name=action["functionName"], input_text=action.get("input"), retry=_retry(action))


def _call_sub_orchestrator(action: Mapping[str, Any]) -> Action:
    return CallSubOrchestrator(
        name=action["functionName"],
        input_text=action.get("input"),
        instance_id=action.get("instanceId") or None,
        version=action.get("version"),
        retry=_retry(action),
    )


def _retry(action: Mapping[str, Any]) -> Retry | None:
    options = action.get("retryOptions")
    if options is None:
        return None
    if options["maxNumberOfAttempts"] < 1:
        raise errors.OrchestrationFailureError("RetryOptions: max_number_of_attempts must be at least 1")
    interval = timedelta(milliseconds=options["firstRetryIntervalInMilliseconds"])
    return Retry(interval=interval, max_attempts=options["maxNumberOfAttempts"])


def _create_timer(action: Mapping[str, Any]) -> Action:
    return CreateTimer(fire_at=instants.parse(action["fireAt"]), is_cancelled=bool(action.get("isCanceled")))


def _wait_for_event(action: Mapping[str, Any]) -> Action:
    return WaitForEvent(name=action["externalEventName"])


def _when_all(action: Mapping[str, Any]) -> Action:
    return WhenAll(children=tuple(_parse(child) for child in action["compoundActions"]))


def _when_any(action: Mapping[str, Any]) -> Action:
    return WhenAny(children=tuple(_parse(child) for child in action["compoundActions"]))


_PARSERS: Mapping[int, Callable[[Mapping[str, Any]], Action]] = {
    0: _call_activity,
    1: _call_activity,
    2: _call_sub_orchestrator,
    3: _call_sub_orchestrator,
    5: _create_timer,
    6: _wait_for_event,
    11: _when_any,
    12: _when_all,
}

_NOT_BUILT: Mapping[int, str] = {
    4: "continue_as_new",
    7: "call_entity",
    8: "call_http",
    9: "signal_entity",
    10: "a scheduled signal_entity",
}
