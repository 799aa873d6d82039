"""Orchestration and activity triggers, handed to the engine as plain callables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from azure.functions import durable_functions as sdk_durable
from azure.functions import meta

from local_stack.functions_host import counts, errors, invoker, loader
from local_stack.functions_host.durable import engine

ORCHESTRATION = "orchestrationTrigger"
ACTIVITY = "activityTrigger"
CLIENT = "durableClient"


def check_orchestrator(function: loader.Function) -> None:
    """Raises InvalidFunctionError for an orchestrator with bindings of its own: it must stay pure."""
    if len(function.bindings) > 1:
        raise errors.InvalidFunctionError(
            f"{function.name}: an orchestrator takes its context and nothing else."
        )


def check_activity(_function: loader.Function) -> None:
    """Every activity can be served."""


def name_of(function: loader.Function) -> str:
    """What `call_activity` and `start_new` call it: the trigger's own name for it, or else the function's."""
    declared = function.trigger.options.get("orchestration") or function.trigger.options.get("activity")
    return str(declared or function.name)


def orchestrators(
    functions: Iterable[loader.Function], tally: counts.Counts
) -> dict[str, Callable[[str], str]]:
    """By name: the SDK's handle, context JSON in and actions JSON out; each turn is counted."""
    return {name_of(function): _orchestrator(function, tally) for function in functions}


def activities(
    functions: Iterable[loader.Function], caller: invoker.Invoker
) -> dict[str, Callable[[engine.ActivityInvocation], Awaitable[str]]]:
    """By name: input text in, result text out, through the SDK's converter as in the worker."""
    return {name_of(function): _activity(function, caller) for function in functions}


def _orchestrator(function: loader.Function, tally: counts.Counts) -> Callable[[str], str]:
    def turn(context: str) -> str:
        tally.began(function.name)
        failed = True
        try:
            actions = str(function.call(context))
            failed = False
        finally:
            tally.ended(function.name, failed=failed)
        return actions

    return turn


def _activity(
    function: loader.Function, caller: invoker.Invoker
) -> Callable[[engine.ActivityInvocation], Awaitable[str]]:
    async def call(invocation: engine.ActivityInvocation) -> str:
        return encode(await caller.invoke(function, decode(invocation.input_text)))

    return call


def decode(text: str) -> Any:
    """An activity's input as its function gets it."""
    datum = meta.Datum(text, "string")
    return sdk_durable.ActivityTriggerConverter.decode(datum, trigger_metadata=None)


def encode(result: Any) -> str:
    """A result as JSON text; ValueError when it cannot be written as JSON."""
    return str(sdk_durable.ActivityTriggerConverter.encode(result, expected_type=None).value)
