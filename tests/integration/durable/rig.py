"""A small app written with the real SDK, on a real engine with a real database file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import azure.durable_functions as df
from azure.functions.durable_functions import ActivityTriggerConverter
from azure.functions.meta import Datum

from local_stack.functions_host.durable import engine, limits

PATIENCE_SECONDS = 30.0

Activity = Callable[[Any], Any]


def orchestrators_of(*functions: Callable[..., Any]) -> dict[str, engine.OrchestratorFunction]:
    """The SDK's handle of each orchestrator, as the app object holds it."""
    app = df.DFApp()
    for function in functions:
        app.orchestration_trigger(context_name="context")(function)
    return {each.get_function_name(): each.get_user_function() for each in app.get_functions()}


def activity(function: Activity) -> engine.ActivityFunction:
    """Decodes and encodes as the Functions worker does."""

    async def call(invocation: engine.ActivityInvocation) -> str:
        value = ActivityTriggerConverter.decode(Datum(invocation.input_text, "string"), trigger_metadata=None)
        result = function(value)
        if isinstance(result, Awaitable):
            result = await result
        return str(ActivityTriggerConverter.encode(result, expected_type=None).value)

    return call


def build(
    folder: Path,
    *orchestrators: Callable[..., Any],
    activities: Mapping[str, Activity] | None = None,
    bounds: limits.DurableLimits | None = None,
    watch: engine.CommitWatch | None = None,
) -> engine.DurableEngine:
    """Not started yet."""
    return engine.DurableEngine(
        database=folder / "durable.sqlite",
        orchestrators=orchestrators_of(*orchestrators),
        activities={name: activity(function) for name, function in (activities or {}).items()},
        limits=bounds or limits.DurableLimits(max_concurrent_orchestrators=4, max_concurrent_activities=8),
        watch=watch,
    )


def client_text(value: Any) -> str:
    """Input as the SDK's client posts it: a JSON string that holds JSON."""
    return json.dumps(json.dumps(value))


async def until(
    durable: engine.DurableEngine,
    instance_id: str,
    is_met: Callable[[engine.InstanceStatus], bool] = lambda status: status.status.is_final,
) -> engine.InstanceStatus:
    """Waits for an instance, by default for its end; fails after PATIENCE_SECONDS."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            status = await durable.status(instance_id, show_history=True)
            if is_met(status):
                return status
            await asyncio.sleep(0.005)


def output(status: engine.InstanceStatus) -> Any:
    """What a completed instance returned."""
    assert status.status is engine.Status.COMPLETED, (status.status, status.output_text)
    return json.loads(status.output_text or "null")
