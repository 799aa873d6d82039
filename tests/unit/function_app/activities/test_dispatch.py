"""A step is handed over once, unless its result is there or nobody wants it any more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from contracts import blobs, events, jobs, messages, steps
from contracts.errors import ErrorCode
from function_app import errors, run_inputs, runs, services
from function_app.activities import dispatch, requests
from tests.replay import platforms

EXPIRES_AT = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)


@pytest.fixture
def platform() -> Iterator[platforms.Platform]:
    built = platforms.build()
    built.submit(jobs.Workflow.TRANSCRIBE_ONLY, "en")
    built.store.begin_run(job_id=platforms.JOB, run=1)
    yield built
    services.use(None)


def prepare_call(platform: platforms.Platform, *, attempt: int = 1) -> run_inputs.StepCall:
    start = runs.run_input(platform.job(), platform.use.settings)
    return run_inputs.StepCall(
        identity=run_inputs.identity_of(start),
        step=steps.Step.PREPARE,
        attempt=attempt,
        source=start.source,
        params=start.prepare,
        reply_to=messages.ReplyTo(instance_id="job-1.1", event_name=f"prepare.0.{attempt}"),
        expires_at=EXPIRES_AT,
        traceparent="00-a-b-01",
    )


def chunk_call(platform: platforms.Platform, chunk: int) -> run_inputs.StepCall:
    start = runs.run_input(platform.job(), platform.use.settings)
    prepared = platform.workers.answer(requests.build(platform.blobs, prepare_call(platform)))
    assert isinstance(prepared.outcome, events.Completed)
    return run_inputs.StepCall(
        identity=run_inputs.identity_of(start),
        step=steps.Step.TRANSCRIBE,
        chunk=chunk,
        attempt=1,
        plan=prepared.outcome.result,
        params=start.transcribe,
        reply_to=messages.ReplyTo(instance_id="job-1.1:lane:0", event_name=f"transcribe.{chunk}.1"),
        expires_at=EXPIRES_AT,
    )


def test_request_names_the_source_the_reply_and_where_the_result_goes(
    platform: platforms.Platform,
) -> None:
    assert dispatch.dispatch_step(platform.use, prepare_call(platform)) == {"status": "sent"}
    (request,) = platform.sender.sent
    assert request.inputs == {messages.InputName.SOURCE: platform.job().source}
    assert request.reply_to.event_name == "prepare.0.1"
    assert request.result.path == f"default/job-1/steps/prepare/{request.result.key}.json"
    assert (request.expires_at, request.traceparent) == (EXPIRES_AT, "00-a-b-01")
    assert platform.step(steps.Step.PREPARE).status is steps.StepStatus.PROCESSING


def test_request_of_a_chunk_names_its_sound_and_its_place(platform: platforms.Platform) -> None:
    assert dispatch.dispatch_step(platform.use, chunk_call(platform, 2)) == {"status": "sent"}
    (request,) = platform.sender.sent
    assert list(request.inputs) == [messages.InputName.CHUNK]
    assert request.chunk_audio is not None
    assert (request.chunk_audio.start, request.chunk_audio.end) == (20.0, 30.0)
    assert "/steps/transcribe/00002-" in request.result.path


def test_same_call_twice_leaves_one_message(platform: platforms.Platform) -> None:
    for _ in range(2):
        dispatch.dispatch_step(platform.use, prepare_call(platform))
    assert len(platform.sender.sent) == 1


def test_every_attempt_asks_for_the_same_result(platform: platforms.Platform) -> None:
    first, second = (
        requests.build(platform.blobs, prepare_call(platform, attempt=attempt)) for attempt in (1, 2)
    )
    assert first.result == second.result


def test_result_that_lies_there_is_used_and_nothing_is_sent(platform: platforms.Platform) -> None:
    call = chunk_call(platform, 0)
    worked = platform.workers.answer(requests.build(platform.blobs, call))
    answer = dispatch.dispatch_step(platform.use, call)
    assert isinstance(worked.outcome, events.Completed)
    expected = worked.outcome.model_dump(mode="json") | {"reused": True}
    assert answer["facts"] == expected["facts"]
    assert answer["result"]["content_hash"] == expected["result"]["content_hash"]
    assert platform.sender.sent == ()
    assert platform.step(steps.Step.TRANSCRIBE).status is steps.StepStatus.PROCESSING


def test_cancelled_job_hands_nothing_over(platform: platforms.Platform) -> None:
    platform.store.cancel(tenant_id=platforms.TENANT, job_id=platforms.JOB)
    assert dispatch.dispatch_step(platform.use, prepare_call(platform)) == {"status": "cancelled"}
    assert dispatch.reconcile_step(platform.use, prepare_call(platform)) == {"status": "cancelled"}
    assert platform.sender.sent == ()


def test_later_run_leaves_an_older_one_without_work(platform: platforms.Platform) -> None:
    call = prepare_call(platform)
    identity = call.identity.model_copy(update={"run": 2})
    answer = dispatch.dispatch_step(platform.use, call.model_copy(update={"identity": identity}))
    assert answer == {"status": "cancelled"}


def test_queue_that_is_away_is_raised_for_the_retry(platform: platforms.Platform) -> None:
    platform.sender.away = True
    with pytest.raises(errors.QueueUnavailableError):
        dispatch.dispatch_step(platform.use, prepare_call(platform))


def test_reconciliation_finds_the_result_of_an_answer_that_was_lost(platform: platforms.Platform) -> None:
    call = prepare_call(platform)
    platform.workers.answer(requests.build(platform.blobs, call))
    assert dispatch.reconcile_step(platform.use, call)["status"] == "completed"


def test_reconciliation_without_a_result_is_a_failure_worth_another_attempt(
    platform: platforms.Platform,
) -> None:
    answer = dispatch.reconcile_step(platform.use, prepare_call(platform))
    assert (answer["status"], answer["code"], answer["retryable"]) == ("failed", ErrorCode.TIMED_OUT, True)


def test_plan_that_was_overwritten_is_not_read(platform: platforms.Platform) -> None:
    platform.workers.sentences = ("A plan", "that no", "other test", "has read", "before.")
    call = chunk_call(platform, 0)
    assert call.plan is not None
    platform.blobs.put(blobs.Container.RESULTS, call.plan.path, b"{}")
    with pytest.raises(errors.BlobChangedError):
        dispatch.dispatch_step(platform.use, call)
