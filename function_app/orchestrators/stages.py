"""How each step of a workflow is done: one generator per step, in a table."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from contracts import blobs, identity, languages, results, steps
from function_app import run_inputs
from function_app.orchestrators import flow as flows
from function_app.orchestrators import hands, language_model_step, outcomes, transcribe_lane, worker_step


def prepare(flow: flows.Flow) -> hands.Steps:
    """Leaves the plan, the number of chunks and the length."""
    work = worker_step.Work(start=flow.start, params=flow.start.prepare)
    outcome = yield from worker_step.run(flow.context, work)
    if outcomes.is_completed(outcome):
        facts = outcome["facts"]
        flow.plan = worker_step.result_of(outcome)
        flow.keys[steps.Step.PREPARE] = worker_step.key_of(outcome)
        flow.chunk_count, flow.audio_seconds = facts["chunk_count"], facts["audio_seconds"]
        if flow.is_silent and flow.language is None:
            flow.language = languages.UNDETERMINED
    yield from _record(flow, steps.Step.PREPARE, outcome)
    return outcome


def identify(flow: flows.Flow) -> hands.Steps:
    """Leaves the language and how sure it is."""
    work = worker_step.Work(start=flow.start, params=flow.start.lid, plan=flow.plan)
    outcome = yield from worker_step.run(flow.context, work)
    if outcomes.is_completed(outcome):
        facts = outcome["facts"]
        flow.keys[steps.Step.LID] = worker_step.key_of(outcome)
        flow.language, flow.language_confidence = facts["language"], facts["confidence"]
    yield from _record(flow, steps.Step.LID, outcome)
    return outcome


def transcribe(flow: flows.Flow) -> hands.Steps:
    """Leaves the transcript and its files; chunks that failed for good are gaps in it."""
    outcome = yield from _transcribe(flow)
    yield from _record(flow, steps.Step.TRANSCRIBE, outcome)
    return outcome


def _transcribe(flow: flows.Flow) -> hands.Steps:
    plan, language = _plan_of(flow), flow.language_for_engine()
    begun: outcomes.Outcome = yield flow.call(
        "begin_transcription",
        run_inputs.TranscriptionStart(
            identity=flow.identity, plan=plan, engine=flow.start.transcribe.engine, language=language
        ),
    )
    if not outcomes.is_completed(begun):
        return begun
    answers = yield from _run_lanes(flow, plan, language)
    if any(outcomes.is_cancelled(answer) for answer in answers):
        return {"status": outcomes.CANCELLED}
    failures = {
        int(chunk): results.RunError.model_validate(error)
        for answer in answers
        for chunk, error in answer["failures"].items()
    }
    flow.transcribe_params = transcribe_lane.asked_params(flow.start, language)
    return (yield from _merge(flow, plan, failures))


def _run_lanes(flow: flows.Flow, plan: blobs.BlobReference, language: str | None) -> hands.Lanes:
    """Lanes answer and never raise: with one failure in a task_all the host would wait for the others."""
    chunk_count = flow.chunk_count or 0
    lanes = min(flow.start.limits.lanes, chunk_count)
    if lanes == 0:
        return []  # an empty task_all is done before the host could schedule it
    shares = [
        run_inputs.LaneInput(
            start=flow.start,
            plan=plan,
            chunk_count=chunk_count,
            lane=lane,
            lanes=lanes,
            language=language,
        )
        for lane in range(lanes)
    ]
    tasks = [
        flow.context.call_sub_orchestrator(
            transcribe_lane.NAME,
            share.model_dump(mode="json"),
            identity.lane_instance_id(job_id=flow.start.job_id, run=flow.start.run, lane=share.lane),
            expected_type=dict,
        )
        for share in shares
    ]
    answers: list[outcomes.Outcome] = yield flow.context.task_all(tasks)
    return answers


def _merge(
    flow: flows.Flow, plan: blobs.BlobReference, failures: Mapping[int, results.RunError]
) -> hands.Steps:
    if failures and len(failures) == flow.chunk_count:
        first = failures[min(failures)]
        return outcomes.failed(first.code, first.message)
    flow.failed_chunks = tuple(sorted(failures))
    outcome: outcomes.Outcome = yield flow.call(
        "merge_transcript",
        run_inputs.TranscriptCall(
            identity=flow.identity,
            plan=plan,
            params=flow.transcribe_params,
            language=flow.language,
            language_confidence=flow.language_confidence,
            failures=dict(failures),
        ),
    )
    if outcomes.is_completed(outcome):
        flow.transcript = worker_step.result_of(outcome)
        flow.language = outcome["language"]
        flow.files |= outcome["files"]
        flow.warnings += outcome["warnings"]
        flow.errors += _gap_errors(failures, flow.chunk_count or 0)
    return outcome


def _gap_errors(failures: Mapping[int, results.RunError], chunk_count: int) -> list[results.RunError]:
    """One error for all chunks that are missing, in the words of the first."""
    if not failures:
        return []
    first = failures[min(failures)]
    message = f"{len(failures)} of {chunk_count} chunks could not be transcribed: {first.message}"
    return [results.RunError(step=steps.Step.TRANSCRIBE, code=first.code, message=message)]


def take_transcript(flow: flows.Flow) -> hands.Steps:
    """Leaves the transcript that the job was submitted with, and its files."""
    outcome: outcomes.Outcome = yield flow.call(
        "take_transcript",
        run_inputs.GivenTranscriptCall(identity=flow.identity, source=flow.start.source),
    )
    if outcomes.is_completed(outcome):
        flow.transcript = worker_step.result_of(outcome)
        flow.language = outcome["language"]
        flow.audio_seconds = outcome["duration_seconds"]
        flow.files |= outcome["files"]
        flow.warnings += outcome["warnings"]
    return outcome


def language_steps(flow: flows.Flow, wanted: Sequence[steps.Step]) -> hands.Lanes:
    """Translation and summary side by side: each sleeps on its own when the model is over its quota."""
    calls = [_language_call(flow, step) for step in wanted]
    run = identity.instance_id(job_id=flow.start.job_id, run=flow.start.run)
    tasks = [
        flow.context.call_sub_orchestrator(
            language_model_step.NAME,
            language_model_step.StepInput(limits=flow.start.limits, call=call).model_dump(mode="json"),
            f"{run}:{call.step}",
            expected_type=dict,
        )
        for call in calls
    ]
    answers: list[outcomes.Outcome] = yield flow.context.task_all(tasks)
    for step, answer in zip(wanted, answers, strict=True):
        if outcomes.is_completed(answer):
            flow.keys[step] = answer["key"]
            flow.files |= answer["files"]
            flow.warnings += answer["warnings"]
    return answers


def _language_call(flow: flows.Flow, step: steps.Step) -> run_inputs.LanguageModelCall:
    choice = flow.start.translate if step is steps.Step.TRANSLATE else flow.start.summarize
    if choice is None or flow.transcript is None:
        raise ValueError(f"{step} was begun without a language model or a transcript")
    return run_inputs.LanguageModelCall(
        identity=flow.identity,
        step=step,
        choice=choice,
        transcript=flow.transcript,
        source_language=flow.language or languages.UNDETERMINED,
        target_language=flow.start.target_language,
        glossary=flow.start.glossary,
    )


def _record(flow: flows.Flow, step: steps.Step, outcome: outcomes.Outcome) -> hands.Steps:
    yield flow.call(
        "record_step",
        run_inputs.StepReport(
            identity=flow.identity,
            step=step,
            attempt=outcome.get("attempt", 1),
            status=steps.StepStatus(outcome["status"]),
            error=outcomes.error_of(outcome, step),
            usage=outcome.get("usage", {}),
            language=flow.language,
            language_confidence=flow.language_confidence,
            duration_seconds=flow.audio_seconds,
        ),
    )
    return outcome


def _plan_of(flow: flows.Flow) -> blobs.BlobReference:
    if flow.plan is None:
        raise ValueError("transcribe was begun without a chunk plan")
    return flow.plan


IN_SEQUENCE: Final[Mapping[steps.Step, Callable[[flows.Flow], hands.Steps]]] = MappingProxyType(
    {steps.Step.PREPARE: prepare, steps.Step.LID: identify, steps.Step.TRANSCRIBE: transcribe}
)
"""Steps that the pipeline does itself, one after another."""

SIDE_BY_SIDE: Final = frozenset({steps.Step.TRANSLATE, steps.Step.SUMMARIZE})
"""Steps that are sub-orchestrations: those of one group run at the same time."""
