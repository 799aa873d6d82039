"""How orchestrators reach their hands: activities, timers."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from azure.durable_functions import DurableOrchestrationContext, RetryOptions

from contracts import workflows
from function_app import run_inputs
from function_app.orchestrators import outcomes

Steps = Generator[Any, Any, outcomes.Outcome]
"""A part of an orchestrator: yields tasks of the SDK, returns an outcome."""

Lanes = Generator[Any, Any, list[outcomes.Outcome]]
"""A part of an orchestrator that runs several things side by side: an outcome for each."""

Stages = Generator[Any, Any, list[workflows.Stage]]
"""A part of an orchestrator that chooses stages."""


def call(
    context: DurableOrchestrationContext, limits: run_inputs.Limits, activity: str, facts: run_inputs.Facts
) -> Any:
    """The task of an activity, tried again while it raises: its store, storage or queue may be away.

    Never inside a task_all or task_any: a failing child would leave the host waiting for its siblings.
    """
    retry = RetryOptions(round(limits.activity_retry_seconds * 1000), limits.activity_attempts)
    return context.call_activity_with_retry(activity, retry, facts.model_dump(mode="json"), dict)


def sleep(context: DurableOrchestrationContext, seconds: float) -> Any:
    """A timer of its own for each pause: a timer that is used again confuses the host."""
    return context.create_timer(context.current_utc_datetime + timedelta(seconds=seconds))


def retry_delay_seconds(limits: run_inputs.Limits, attempt: int) -> float:
    """The pause after `attempt` failed: doubled each time, bounded."""
    delay = limits.retry_first_delay_seconds * 2.0 ** (attempt - 1)
    return float(min(delay, limits.retry_longest_delay_seconds))
