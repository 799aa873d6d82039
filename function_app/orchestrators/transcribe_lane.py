"""A lane: takes its share of a run's chunks, one after another, and answers what became of them."""

from typing import Any, Final

from azure.durable_functions import DurableOrchestrationContext

from contracts import errors, params, steps
from function_app import run_inputs
from function_app.orchestrators import hands, outcomes, worker_step

NAME: Final = "transcribe_lane"

HOPELESS: Final = frozenset(
    {errors.ErrorCode.UNSUPPORTED_LANGUAGE, errors.ErrorCode.SCHEMA_VERSION_UNSUPPORTED}
)
"""What one chunk fails of, every chunk of the recording fails of."""


def transcribe_lane(context: DurableOrchestrationContext) -> hands.Steps:
    """Answers {"status": completed or cancelled, "failures": {chunk: RunError}}.

    Never raises for what an activity does: the parent waits for all lanes together.
    """
    given = run_inputs.LaneInput.model_validate(context.get_input(expected_type=dict))
    failures: dict[str, Any] = {}
    hopeless: outcomes.Outcome | None = None
    for chunk in range(given.lane, given.chunk_count, given.lanes):
        outcome = hopeless or (yield from _transcribe(context, given, chunk))
        if outcomes.is_cancelled(outcome):
            return {"status": outcomes.CANCELLED, "failures": failures}
        yield from _record(context, given, chunk, outcome)
        if error := outcomes.error_of(outcome, steps.Step.TRANSCRIBE):
            failures[str(chunk)] = error.model_dump(mode="json")
            hopeless = outcome if error.code in HOPELESS else None
    return {"status": outcomes.COMPLETED, "failures": failures}


def _transcribe(context: DurableOrchestrationContext, given: run_inputs.LaneInput, chunk: int) -> hands.Steps:
    asked = asked_params(given.start, given.language)
    work = worker_step.Work(start=given.start, params=asked, plan=given.plan, chunk=chunk)
    return (yield from worker_step.run(context, work))


def asked_params(start: run_inputs.RunInput, language: str | None) -> params.TranscribeParams:
    """The run's parameters with the language filled in: what chunks' result keys are made from."""
    return start.transcribe.model_copy(update={"language": language})


def _record(
    context: DurableOrchestrationContext,
    given: run_inputs.LaneInput,
    chunk: int,
    outcome: outcomes.Outcome,
) -> hands.Steps:
    """Progress for people: that the store did not take it must not lose a chunk that is done."""
    report = run_inputs.ChunkReport(
        identity=run_inputs.identity_of(given.start),
        chunk=chunk,
        attempt=outcome.get("attempt", 1),
        status=steps.StepStatus(outcome["status"]),
        audio_seconds=outcome.get("facts", {}).get("audio_seconds", 0.0),
        error=outcomes.error_of(outcome, steps.Step.TRANSCRIBE),
        usage=outcome.get("usage", {}),
    )
    try:
        yield hands.call(context, given.start.limits, "record_chunk", report)
    except Exception as error:
        if not outcomes.came_from_a_task(error):
            raise
    return outcome
