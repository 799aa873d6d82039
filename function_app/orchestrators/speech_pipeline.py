"""One run of a job, from its upload to its end: the table of its workflow, walked in order."""

from collections.abc import Sequence

from azure.durable_functions import DurableOrchestrationContext

from contracts import errors, languages, results, steps, workflows
from function_app import run_inputs
from function_app.orchestrators import conditions, hands, outcomes, stages
from function_app.orchestrators import flow as flows


def speech_pipeline(context: DurableOrchestrationContext) -> hands.Steps:
    """Ends the job in the store, whatever happens to its steps. Answers {"status": …}."""
    start = run_inputs.RunInput.model_validate(context.get_input(expected_type=dict))
    flow = flows.Flow(context=context, start=start, language=start.source_language)
    try:
        return (yield from _run(flow))
    except Exception as error:
        if not outcomes.came_from_a_task(error):
            raise
    flow.fatal = results.RunError(
        code=errors.ErrorCode.INTERNAL_ERROR,
        message="The job store, blob storage or the queue was away for too long. Submit the recording again.",
    )
    outcome: outcomes.Outcome = yield flow.call("fail_run", _end(flow))
    return outcome


def _run(flow: flows.Flow) -> hands.Steps:
    begun: outcomes.Outcome = yield flow.call("begin_run", flow.identity)
    if not outcomes.is_completed(begun):
        return begun
    if workflows.starts_from_text(flow.start.workflow):
        yield from _take_transcript(flow)
    for group in workflows.STAGES[flow.start.workflow]:
        if flow.is_cancelled:
            break
        yield from _group(flow, group)
    outcome: outcomes.Outcome = yield flow.call("finish_run", _end(flow))
    return outcome


def _take_transcript(flow: flows.Flow) -> hands.Steps:
    """Without a transcript none of the steps can be done."""
    outcome = yield from stages.take_transcript(flow)
    flow.is_cancelled = outcomes.is_cancelled(outcome)
    if outcome["status"] == outcomes.FAILED:
        code = errors.ErrorCode(outcome["code"])
        flow.fatal = results.RunError(code=code, message=outcome["message"])
        flow.errors.append(flow.fatal)
    return outcome


def _group(flow: flows.Flow, group: Sequence[workflows.Stage]) -> hands.Lanes:
    """The outcomes of the stages that were done."""
    wanted = yield from _without_skipped(flow, group)
    answers = []
    for stage in wanted:
        if stage.step in stages.IN_SEQUENCE:
            flow.context.set_custom_status({"step": stage.step.value})
            outcome = yield from stages.IN_SEQUENCE[stage.step](flow)
            _judge(flow, stage, outcome)
            answers.append(outcome)
    side_by_side = [stage for stage in wanted if stage.step in stages.SIDE_BY_SIDE]
    if side_by_side:
        flow.context.set_custom_status({"step": side_by_side[0].step.value})
        outcomes_of = yield from stages.language_steps(flow, [stage.step for stage in side_by_side])
        for stage, outcome in zip(side_by_side, outcomes_of, strict=True):
            _judge(flow, stage, outcome)
        answers += outcomes_of
    return answers


def _without_skipped(flow: flows.Flow, group: Sequence[workflows.Stage]) -> hands.Stages:
    wanted = []
    for stage in group:
        reason = conditions.skip_reason(stage, flow)
        if reason is None:
            wanted.append(stage)
            continue
        if stage.essential and reason is run_inputs.SkipReason.NO_LANGUAGE_MODEL:
            flow.fatal = _no_language_model(stage.step)
            flow.errors.append(flow.fatal)
        yield flow.call("skip_step", _skip(flow, stage.step, reason))
    return wanted


def _no_language_model(step: steps.Step) -> results.RunError:
    """What was asked for, and nothing else, cannot be done: that is no success."""
    return results.RunError(
        step=step,
        code=errors.ErrorCode.LANGUAGE_MODEL_REJECTED,
        message="No language model is configured: set LANGUAGE_MODEL_BASE_URL to an OpenAI-compatible "
        "endpoint.",
    )


def _skip(flow: flows.Flow, step: steps.Step, reason: run_inputs.SkipReason) -> run_inputs.StepSkip:
    return run_inputs.StepSkip(
        identity=flow.identity,
        step=step,
        reason=reason,
        language=flow.language or languages.UNDETERMINED,
        failed_step=flow.fatal.step if flow.fatal else None,
    )


def _judge(flow: flows.Flow, stage: workflows.Stage, outcome: outcomes.Outcome) -> None:
    """What the step's outcome means for the run."""
    if outcomes.is_cancelled(outcome):
        flow.is_cancelled = True
    error = outcomes.error_of(outcome, stage.step)
    if error is None:
        return
    flow.errors.append(error)
    if stage.essential:
        flow.fatal = error


def _end(flow: flows.Flow) -> run_inputs.RunEndCall:
    return run_inputs.RunEndCall(
        identity=flow.identity,
        workflow=flow.start.workflow,
        status=flow.status,
        plan=flow.plan,
        transcribe=flow.transcribe_params if flow.transcript else None,
        failed_chunks=flow.failed_chunks,
        keys=flow.keys,
        files=flow.files,
        language=flow.language,
        language_confidence=flow.language_confidence,
        duration_seconds=flow.audio_seconds,
        error=flow.fatal,
        errors=tuple(flow.errors),
        warnings=tuple(dict.fromkeys(flow.warnings)),
    )
