"""Every fault in every step of every workflow: the status it ends in, and the sentence that people read.

The rows are made from the workflows' own table, so that a new step or workflow is in them by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pytest

from contracts import blobs, errors, events, jobs, queues, steps, workflows
from function_app import dead_letters, services
from function_app.language_model import models
from local_stack.functions_host.durable import values
from tests.replay import fault_bench, platforms, task_hub
from tests.replay.fault_bench import Bench, DeadEvent, DeadLetter, Lost

pytestmark = pytest.mark.acceptance_long

ATTEMPTS: Final = 3
WORKFLOWS: Final = tuple(jobs.Workflow)

Place = tuple[jobs.Workflow, steps.Step]


def places(*, of_workers: bool) -> list[Place]:
    """Every step of every workflow."""
    return [
        (workflow, step)
        for workflow in WORKFLOWS
        for step in workflows.steps_of(workflow)
        if (step in queues.QUEUE_OF_STEP) is of_workers
    ]


WORKER_STEPS: Final = places(of_workers=True)
LANGUAGE_STEPS: Final = places(of_workers=False)


def _id(value: object) -> str:
    """A row's name."""
    if isinstance(value, DeadLetter):
        return value.reason or "no reason"
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)


def end_without(workflow: jobs.Workflow, step: steps.Step) -> jobs.JobStatus:
    """How a job ends of which a step failed for good."""
    (stage,) = [stage for group in workflows.STAGES[workflow] for stage in group if stage.step is step]
    return jobs.JobStatus.FAILED if stage.essential else jobs.JobStatus.PARTIAL_COMPLETE


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    platform = platforms.build(language_model_base_url="http://127.0.0.1:9/v1", max_retries=ATTEMPTS)
    made = Bench(platform=platform)
    monkeypatch.setattr(models, "build", lambda *_: made.script)
    yield made
    services.use(None)


def assert_speaks_plainly(sentence: str) -> None:
    """People who know nothing of our code read it, so it names no class, and it is a whole sentence."""
    assert len(sentence.split()) >= 5, sentence
    assert sentence[0].isupper(), sentence
    assert sentence[-1] in ".?", sentence
    assert not re.search(r"Traceback|Exception|\b[a-z]+_[a-z_]+\b(?!=)", sentence), sentence


def assert_completed(bench: Bench) -> None:
    assert bench.view.status is jobs.JobStatus.COMPLETED
    assert bench.told == ()
    done = {steps.StepStatus.COMPLETED, steps.StepStatus.SKIPPED}
    assert {step.status for step in bench.view.steps} <= done


def assert_ended(bench: Bench, place: Place, code: errors.ErrorCode, sentence: str) -> None:
    workflow, step = place
    assert bench.view.status is end_without(workflow, step)
    told = [error for error in bench.told if error.step is step]
    assert {(error.code, error.message) for error in told} == {(code, sentence)}
    assert {one.status for one in bench.view.steps if one.step is step} == {steps.StepStatus.FAILED}
    assert_speaks_plainly(sentence)
    if bench.view.status is jobs.JobStatus.FAILED:
        assert bench.view.error == told[0]
    assert_nothing_is_open(bench)


def assert_nothing_is_open(bench: Bench) -> None:
    """Every step has ended, every instance too, and nothing lies in `work`."""
    assert {step.status for step in bench.view.steps} <= steps.TERMINAL
    assert all(instance.is_final for instance in bench.platform.hub.instances.values())
    assert list(bench.platform.blobs.paths(blobs.Container.WORK, "")) == []


# Dead letters --------------------------------------------------------------------------------------

DEAD_LETTERS: Final = [
    (
        DeadLetter(reason="TTLExpiredException", description="The message expired."),
        errors.ErrorCode.MESSAGE_EXPIRED,
    ),
    (DeadLetter(reason="MaxDeliveryCountExceeded"), errors.ErrorCode.DELIVERIES_EXHAUSTED),
    (
        DeadLetter(
            reason="invalid_message",
            description="The message is not a step request: run: Field required.",
        ),
        errors.ErrorCode.INVALID_MESSAGE,
    ),
    (
        DeadLetter(
            reason="schema_version_unsupported",
            description="The message has schema version 2; this worker reads 1.",
        ),
        errors.ErrorCode.SCHEMA_VERSION_UNSUPPORTED,
    ),
    (DeadLetter(reason="HeaderSizeExceeded"), errors.ErrorCode.DEAD_LETTERED),
    (DeadLetter(reason=""), errors.ErrorCode.DEAD_LETTERED),
    (
        DeadLetter(reason="moved by hand", description="An operator put this aside."),
        errors.ErrorCode.DEAD_LETTERED,
    ),
]
DEAD_SENTENCES: Final = {
    errors.ErrorCode.MESSAGE_EXPIRED: (
        "No worker had finished the work in time: are there enough, and do they run?"
    ),
    errors.ErrorCode.DELIVERIES_EXHAUSTED: (
        "Every worker that took the work stopped before it was done. The workers' logs say why; this "
        "recording may need more memory than they have."
    ),
}


def dead_sentence(letter: DeadLetter, code: errors.ErrorCode) -> str:
    if code in DEAD_SENTENCES:
        return DEAD_SENTENCES[code]
    return letter.description or (
        f"The work's message was put aside ({letter.reason or 'no reason given'}). Submit the recording "
        "again; if that does not help, look for its dead letter in the logs."
    )


@pytest.mark.parametrize("place", WORKER_STEPS, ids=_id)
@pytest.mark.parametrize(("letter", "code"), DEAD_LETTERS, ids=_id)
def test_dead_letter_for_good_ends_the_job_with_its_reason(
    bench: Bench, place: Place, letter: DeadLetter, code: errors.ErrorCode
) -> None:
    bench.fates = dict.fromkeys(fault_bench.names(place[1], attempts=ATTEMPTS, chunks=[0, 1]), letter)
    bench.run(place[0])
    assert_ended(bench, place, code, dead_sentence(letter, code))


@pytest.mark.parametrize("place", WORKER_STEPS, ids=_id)
def test_dead_letter_of_a_first_attempt_costs_one_attempt(bench: Bench, place: Place) -> None:
    (first,) = fault_bench.names(place[1], attempts=1, chunks=[0])
    bench.fates = {first: DeadLetter(reason="TTLExpiredException")}
    bench.run(place[0])
    assert_completed(bench)


@pytest.mark.parametrize("place", WORKER_STEPS, ids=_id)
def test_event_that_became_a_dead_letter_is_delivered_after_all(bench: Bench, place: Place) -> None:
    (first,) = fault_bench.names(place[1], attempts=1, chunks=[0])
    bench.fates = {first: DeadEvent()}
    bench.run(place[0])
    assert_completed(bench)


@pytest.mark.parametrize("place", WORKER_STEPS, ids=_id)
def test_dead_letter_whose_result_is_there_counts_as_done(bench: Bench, place: Place) -> None:
    """The worker died between its result and its event, every time."""
    (first,) = fault_bench.names(place[1], attempts=1, chunks=[0])
    bench.fates = {first: DeadLetter(reason="MaxDeliveryCountExceeded", result_is_there=True)}
    bench.run(place[0])
    assert_completed(bench)
    assert max(request.attempt for request in bench.platform.sender.sent) == 1


# Time-outs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", WORKER_STEPS, ids=_id)
def test_answer_that_never_comes_ends_the_job_when_its_time_is_up(bench: Bench, place: Place) -> None:
    workflow, step = place
    bench.fates = dict.fromkeys(fault_bench.names(step, attempts=ATTEMPTS, chunks=[0, 1]), Lost())
    bench.run(workflow)
    sentence = f"No worker has answered {step} in time. Check that its workers are running."
    assert_ended(bench, place, errors.ErrorCode.TIMED_OUT, sentence)
    waited = bench.platform.hub.now - task_hub.START
    assert waited.total_seconds() > ATTEMPTS * 1800


@pytest.mark.parametrize("place", WORKER_STEPS, ids=_id)
def test_answer_that_is_lost_once_costs_one_attempt(bench: Bench, place: Place) -> None:
    (first,) = fault_bench.names(place[1], attempts=1, chunks=[0])
    bench.fates = {first: Lost()}
    bench.run(place[0])
    assert_completed(bench)


@pytest.mark.parametrize("place", WORKER_STEPS, ids=_id)
def test_result_whose_answer_is_lost_is_found(bench: Bench, place: Place) -> None:
    (first,) = fault_bench.names(place[1], attempts=1, chunks=[0])
    bench.fates = {first: Lost(result_is_there=True)}
    bench.run(place[0])
    assert_completed(bench)
    assert max(request.attempt for request in bench.platform.sender.sent) == 1


# Failures of workers -------------------------------------------------------------------------------

WORKERS_CODES: Final = [errors.ErrorCode.ENGINE_FAILED, errors.ErrorCode.CORRUPT_AUDIO]
"""One that is worth another attempt and one that is not; every code has its row below."""
WORKERS_SENTENCE: Final = "Something is wrong with this recording. Try another one."


def failed(code: errors.ErrorCode) -> events.Failed:
    return events.Failed(code=code, message=WORKERS_SENTENCE, retryable=code in errors.RETRYABLE)


@pytest.mark.parametrize("code", WORKERS_CODES, ids=str)
@pytest.mark.parametrize("place", WORKER_STEPS, ids=_id)
def test_step_that_fails_for_good_ends_the_job_in_its_words(
    bench: Bench, place: Place, code: errors.ErrorCode
) -> None:
    workflow, step = place
    bench.fates = dict.fromkeys(fault_bench.names(step, attempts=ATTEMPTS, chunks=[0, 1]), failed(code))
    bench.run(workflow)
    assert_ended(bench, place, code, WORKERS_SENTENCE)
    (record,) = [record for record in bench.view.steps if record.step is step]
    assert record.attempt == (ATTEMPTS if code in errors.RETRYABLE else 1)


@pytest.mark.parametrize("code", sorted(errors.RETRYABLE))
def test_every_code_that_is_worth_another_attempt_gets_one(bench: Bench, code: errors.ErrorCode) -> None:
    bench.fates = {"prepare.0.1": failed(code)}
    bench.run(jobs.Workflow.TRANSCRIBE_ONLY)
    assert_completed(bench)


@pytest.mark.parametrize("code", sorted(set(errors.ErrorCode) - errors.RETRYABLE))
def test_every_other_code_is_final_at_once(bench: Bench, code: errors.ErrorCode) -> None:
    bench.fates = {"prepare.0.1": failed(code)}
    bench.run(jobs.Workflow.TRANSCRIBE_ONLY)
    assert_ended(bench, (jobs.Workflow.TRANSCRIBE_ONLY, steps.Step.PREPARE), code, WORKERS_SENTENCE)
    assert len(bench.platform.sender.sent) == 1


@pytest.mark.parametrize("place", WORKER_STEPS, ids=_id)
def test_step_that_fails_once_is_done_at_the_second_attempt(bench: Bench, place: Place) -> None:
    workflow, step = place
    first = fault_bench.names(step, attempts=1, chunks=[0, 1])
    bench.fates = dict.fromkeys(first, failed(errors.ErrorCode.ENGINE_FAILED))
    bench.run(workflow)
    assert_completed(bench)
    (record,) = [record for record in bench.view.steps if record.step is step]
    assert record.attempt == 2


@pytest.mark.parametrize(
    "workflow", [workflow for workflow, step in WORKER_STEPS if step is steps.Step.TRANSCRIBE], ids=str
)
def test_chunk_that_fails_for_good_is_a_gap_that_people_are_told_of(
    bench: Bench, workflow: jobs.Workflow
) -> None:
    bench.fates = {"transcribe.1.1": failed(errors.ErrorCode.CORRUPT_AUDIO)}
    bench.run(workflow)
    assert bench.view.status is jobs.JobStatus.PARTIAL_COMPLETE
    (error, *_) = bench.platform.manifest().errors
    assert error.message == f"1 of 2 chunks could not be transcribed: {WORKERS_SENTENCE}"
    assert_nothing_is_open(bench)


# Failures of language models -----------------------------------------------------------------------

MODEL_CODES: Final = sorted(code for code in errors.ErrorCode if code.startswith("language_model"))


@pytest.mark.parametrize("code", MODEL_CODES)
@pytest.mark.parametrize("place", LANGUAGE_STEPS, ids=_id)
def test_language_step_that_fails_for_good_leaves_the_rest(
    bench: Bench, place: Place, code: errors.ErrorCode
) -> None:
    workflow, step = place
    bench.script.failures = {step: [code] * 10}
    bench.run(workflow)
    assert_ended(bench, place, code, fault_bench.language_model_sentence(step))
    assert {error.step for error in bench.told} == {step}
    calls = 10 - len(bench.script.failures[step])
    assert calls == _calls_of_the_model(code)


def _calls_of_the_model(code: errors.ErrorCode) -> int:
    if code is errors.ErrorCode.LANGUAGE_MODEL_RATE_LIMITED:
        return fault_bench.RATE_LIMIT_WAITS + 1
    return ATTEMPTS if code in errors.RETRYABLE else 1


@pytest.mark.parametrize("place", LANGUAGE_STEPS, ids=_id)
@pytest.mark.parametrize("code", [code for code in MODEL_CODES if code in errors.RETRYABLE])
def test_language_step_that_fails_once_is_done_in_the_end(
    bench: Bench, place: Place, code: errors.ErrorCode
) -> None:
    bench.script.failures = {place[1]: [code]}
    bench.run(place[0])
    assert_completed(bench)


# Failures of the function app's own hands ----------------------------------------------------------

AWAY: Final = "The job store, blob storage or the queue was away for too long. Submit the recording again."
HARMLESS: Final = frozenset({"record_chunk", "reconcile_step", "fail_run"})
"""Progress that nobody could write loses nothing; the others are called only after another fault."""


@pytest.mark.parametrize("activity", task_hub.ACTIVITIES)
@pytest.mark.parametrize("workflow", WORKFLOWS, ids=str)
def test_activity_that_fails_once_changes_nothing(
    bench: Bench, workflow: jobs.Workflow, activity: str
) -> None:
    bench.broken = {activity: 1}
    bench.run(workflow)
    assert_completed(bench)


@pytest.mark.parametrize("activity", sorted(set(task_hub.ACTIVITIES) - HARMLESS))
@pytest.mark.parametrize("workflow", WORKFLOWS, ids=str)
def test_activity_that_fails_for_good_ends_the_job_in_plain_words(
    bench: Bench, workflow: jobs.Workflow, activity: str
) -> None:
    bench.broken = {activity: fault_bench.ACTIVITY_ATTEMPTS * 10}
    instance = bench.run(workflow)
    assert instance.status is values.Status.COMPLETED
    if bench.failed_calls[activity] == 0:
        assert_completed(bench)  # this workflow has no use for it
        return
    assert bench.view.status in (jobs.JobStatus.FAILED, jobs.JobStatus.PARTIAL_COMPLETE)
    assert {error.code for error in bench.told} == {errors.ErrorCode.INTERNAL_ERROR}
    for error in bench.told:
        assert "for too long. Submit the recording again." in error.message
    assert_nothing_is_open(bench)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=str)
def test_progress_that_cannot_be_written_loses_nothing(bench: Bench, workflow: jobs.Workflow) -> None:
    bench.broken = {"record_chunk": 1000}
    bench.run(workflow)
    assert_completed(bench)


# Cancels -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=str)
def test_cancel_at_any_point_ends_the_job_cancelled_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, workflow: jobs.Workflow
) -> None:
    """Before each activity, each answer and each pause of a run of which every step fails once."""
    undisturbed = _cancelled(monkeypatch, workflow, before=None)
    assert_completed(undisturbed)
    kinds = {happening.partition(" ")[0] for happening in undisturbed.happened}
    assert kinds == {"activity", "timer"} | (set() if workflows.starts_from_text(workflow) else {"event"})
    for number, happening in enumerate(undisturbed.happened):
        bench = _cancelled(monkeypatch, workflow, before=number)
        where = f"{workflow} cancelled before {number}: {happening}"
        assert bench.view.status is jobs.JobStatus.CANCELLED, where
        assert bench.told == (), where
        assert len(bench.platform.sender.sent) == bench.sent_when_cancelled, where
        assert_nothing_is_open(bench)
    services.use(None)


def _cancelled(monkeypatch: pytest.MonkeyPatch, workflow: jobs.Workflow, *, before: int | None) -> Bench:
    platform = platforms.build(language_model_base_url="http://127.0.0.1:9/v1", max_retries=ATTEMPTS)
    bench = Bench(platform=platform, cancel_before=before)
    worker_steps = [step for step in workflows.steps_of(workflow) if step in queues.QUEUE_OF_STEP]
    bench.fates = {
        name: failed(errors.ErrorCode.ENGINE_FAILED)
        for step in worker_steps
        for name in fault_bench.names(step, attempts=1, chunks=[0])
    }
    once = [errors.ErrorCode.LANGUAGE_MODEL_UNAVAILABLE]
    bench.script.failures = {step: list(once) for step in workflows.steps_of(workflow)}
    monkeypatch.setattr(models, "build", lambda *_: bench.script)
    bench.run(workflow)
    return bench


# Nothing is forgotten ------------------------------------------------------------------------------


def test_every_step_of_every_workflow_is_in_the_tables() -> None:
    assert {step for _, step in WORKER_STEPS + LANGUAGE_STEPS} == set(steps.Step)
    assert {workflow for workflow, _ in WORKER_STEPS + LANGUAGE_STEPS} == set(jobs.Workflow)


def test_every_reason_of_the_broker_is_in_the_tables() -> None:
    in_tables = {letter.reason for letter, _ in DEAD_LETTERS}
    assert set(dead_letters.BROKERS_REASONS) <= in_tables
