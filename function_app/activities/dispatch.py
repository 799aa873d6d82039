"""Hands a step to its worker, and looks for its result when no answer came."""

import structlog

from contracts import errors, identity
from function_app import run_inputs, services
from function_app.activities import answers, requests, standing, step_results

log = structlog.get_logger(__name__)


def dispatch_step(use: services.Services, call: run_inputs.StepCall) -> answers.Answer:
    """Sends the step's message: `sent`; or `cancelled`, or `completed` when its result is there already.

    Doing it again sends the same message under the same id. Raises StoreUnavailableError, BlobError,
    QueueUnavailableError: nothing has been sent then, or the same message will be sent again.
    """
    if standing.is_over(use.store, call.identity):
        return answers.CANCELLED
    request = requests.build(use.blobs, call)
    # Also when there is nothing to do: a step that has not begun cannot be completed.
    use.store.begin_step(
        job_id=call.identity.job_id, run=call.identity.run, step=call.step, attempt=call.attempt
    )
    found = step_results.completed(use.blobs, request)
    if found:
        return found.model_dump(mode="json")
    use.sender.send(request)
    log.info("step_dispatched", **_ids(call))
    return answers.SENT


def reconcile_step(use: services.Services, call: run_inputs.StepCall) -> answers.Answer:
    """What to make of an answer that never came: the result if it lies there, otherwise a failure."""
    if standing.is_over(use.store, call.identity):
        return answers.CANCELLED
    found = step_results.completed(use.blobs, requests.build(use.blobs, call))
    log.warning("step_answer_missing", found=found is not None, **_ids(call))
    if found:
        return found.model_dump(mode="json")
    return answers.failed(
        errors.ErrorCode.TIMED_OUT,
        f"No worker has answered {call.step} in time. Check that its workers are running.",
    )


def _ids(call: run_inputs.StepCall) -> dict[str, object]:
    return {
        "job_id": call.identity.job_id,
        "run": call.identity.run,
        "step": call.step,
        "chunk": call.chunk,
        "attempt": call.attempt,
        "message_id": identity.message_id(
            job_id=call.identity.job_id,
            run=call.identity.run,
            step=call.step,
            chunk=call.chunk,
            attempt=call.attempt,
        ),
    }
