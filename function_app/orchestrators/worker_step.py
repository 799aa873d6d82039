"""One step, or one chunk of it, that a worker does: ask, wait, look for a lost answer, try again."""

from datetime import timedelta
from typing import Any

from azure.durable_functions import DurableOrchestrationContext

from contracts import blobs, identity, messages, params
from function_app import run_inputs
from function_app.orchestrators import hands, outcomes


class Work(run_inputs.Facts):
    """What a worker is asked to do, whatever the attempt."""

    start: run_inputs.RunInput
    params: params.StepParams
    plan: blobs.BlobReference | None = None
    chunk: int | None = None


def run(context: DurableOrchestrationContext, work: Work) -> hands.Steps:
    """The step's outcome, with the number of its last attempt. Never raises for what an activity does."""
    limits = work.start.limits
    for attempt in range(1, limits.attempts + 1):
        outcome = yield from _attempt(context, work, attempt)
        if not outcomes.may_retry(outcome) or attempt == limits.attempts:
            break
        yield hands.sleep(context, hands.retry_delay_seconds(limits, attempt))
    return {**outcome, "attempt": attempt}


def _attempt(context: DurableOrchestrationContext, work: Work, attempt: int) -> hands.Steps:
    try:
        return (yield from _ask_and_wait(context, work, _call(context, work, attempt)))
    except Exception as error:
        if not outcomes.came_from_a_task(error):
            raise
        return outcomes.hands_failed(f"Handing over {work.params.step}", work.start.limits.activity_attempts)


def _ask_and_wait(context: DurableOrchestrationContext, work: Work, call: run_inputs.StepCall) -> hands.Steps:
    limits = work.start.limits
    # Made before the message is sent, under a name that no other wait has: the SDK repeats an event that
    # comes before its wait to every later wait of that name, and loses the second of two. It asks the host
    # for the wait when it is yielded, so nothing is left open when the answer is here at once.
    finished = context.wait_for_external_event(call.reply_to.event_name, expected_type=object)
    answer: outcomes.Outcome = yield hands.call(context, limits, "dispatch_step", call)
    if answer["status"] != "sent":
        return answer
    backstop = hands.sleep(context, _patience_seconds(work))
    winner = yield context.task_any([finished, backstop])
    if winner is finished:
        if not backstop.is_completed:
            backstop.cancel()  # an instance does not complete while a timer runs
        return outcomes.of_event(finished.result)
    found: outcomes.Outcome = yield hands.call(context, limits, "reconcile_step", call)
    return found


def _call(context: DurableOrchestrationContext, work: Work, attempt: int) -> run_inputs.StepCall:
    start, step = work.start, work.params.step
    now = context.current_utc_datetime
    name = identity.event_name(step=step, chunk=work.chunk, attempt=attempt)
    return run_inputs.StepCall(
        identity=run_inputs.identity_of(start),
        step=step,
        chunk=work.chunk,
        attempt=attempt,
        priority=start.priority,
        source=start.source if work.plan is None else None,
        plan=work.plan,
        params=work.params,
        reply_to=messages.ReplyTo(instance_id=context.instance_id, event_name=name),
        expires_at=now + timedelta(seconds=start.limits.timeout_seconds[step]),
        traceparent=start.traceparent,
    )


def _patience_seconds(work: Work) -> float:
    limits = work.start.limits
    return limits.timeout_seconds[work.params.step] + limits.wait_margin_seconds


def result_of(outcome: outcomes.Outcome) -> Any:
    """The reference to the result of a completed step."""
    return blobs.BlobReference.model_validate(outcome["result"])


def key_of(outcome: outcomes.Outcome) -> str:
    """The result key of a completed step: its blob is named after it."""
    return str(outcome["result"]["path"]).rsplit("/", 1)[-1].removesuffix(".json")
