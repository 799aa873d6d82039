"""A language step: an activity, tried again after pauses that the language model asks for."""

from typing import Final

from azure.durable_functions import DurableOrchestrationContext

from contracts import errors, steps
from function_app import run_inputs
from function_app.orchestrators import hands, outcomes

NAME: Final = "language_model_step"

UNFINISHED: Final = "unfinished"
"""The activity did as much as fits into one call and kept it; the next call goes on from there."""


class StepInput(run_inputs.Facts):
    """The orchestrator's input."""

    limits: run_inputs.Limits
    call: run_inputs.LanguageModelCall


def language_model_step(context: DurableOrchestrationContext) -> hands.Steps:
    """The step's outcome, recorded in the store. Never raises for what an activity does.

    A sub-orchestration, because several of them run side by side and each sleeps on its own.
    """
    given = StepInput.model_validate(context.get_input(expected_type=dict))
    outcome: outcomes.Outcome = yield from _caught(given, _ask(context, given))
    recorded: outcomes.Outcome = yield from _caught(given, _record(context, given, outcome))
    return outcome if outcomes.is_completed(recorded) else recorded


def _caught(given: StepInput, part: hands.Steps) -> hands.Steps:
    """What the part answers; the failure of an activity becomes an outcome."""
    try:
        return (yield from part)
    except Exception as error:
        if not outcomes.came_from_a_task(error):
            raise
        failed = outcomes.hands_failed(given.call.step.capitalize(), given.limits.activity_attempts)
        return {**failed, "attempt": 1}


def _record(context: DurableOrchestrationContext, given: StepInput, outcome: outcomes.Outcome) -> hands.Steps:
    recorded: outcomes.Outcome = yield hands.call(
        context, given.limits, "record_step", _report(given, outcome)
    )
    return recorded


def _ask(context: DurableOrchestrationContext, given: StepInput) -> hands.Steps:
    """A quota that is used up costs time and no attempt. Each of both is bounded for as long as nothing more
    gets done: a long transcript may meet any number of limits and outages on its way.
    """
    attempt, waits = 1, 0
    while True:
        outcome: outcomes.Outcome = yield hands.call(context, given.limits, given.call.step.value, given.call)
        if outcome.get("progressed"):
            attempt, waits = 1, 0
        if outcome["status"] == UNFINISHED:
            continue
        if not outcomes.may_retry(outcome):
            break
        if outcome["code"] == errors.ErrorCode.LANGUAGE_MODEL_RATE_LIMITED:
            waits += 1
            if waits > given.limits.rate_limit_waits:
                break
            yield hands.sleep(context, _wait_seconds(given.limits, outcome, waits))
        else:
            attempt += 1
            if attempt > given.limits.attempts:
                break
            yield hands.sleep(context, hands.retry_delay_seconds(given.limits, attempt - 1))
    return {**outcome, "attempt": min(attempt, given.limits.attempts)}


def _wait_seconds(limits: run_inputs.Limits, outcome: outcomes.Outcome, waits: int) -> float:
    asked = outcome.get("retry_after_seconds")
    if asked is None:
        return hands.retry_delay_seconds(limits, waits)
    # The SDK has obeyed short pauses itself: who asks for one here asks again and again.
    longer = max(asked, limits.retry_first_delay_seconds)
    return float(min(longer, limits.rate_limit_longest_wait_seconds))


def _report(given: StepInput, outcome: outcomes.Outcome) -> run_inputs.StepReport:
    return run_inputs.StepReport(
        identity=given.call.identity,
        step=given.call.step,
        attempt=outcome["attempt"],
        status=steps.StepStatus(outcome["status"]),
        error=outcomes.error_of(outcome, given.call.step),
        usage=outcome.get("usage", {}),
    )
