"""Events and dead letters on their way to who waits for them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from azure.durable_functions import OrchestrationRuntimeStatus

from contracts import blobs, events, jobs, messages, params, results, steps
from contracts.errors import ErrorCode
from function_app import dead_letters, errors, step_events
from function_app.store import job_store
from tests.unit.function_app import api_fixtures

INSTANCE = "j1.1:lane:0"
REPLY_TO = messages.ReplyTo(instance_id=INSTANCE, event_name="lid.0.1")
RUNNING = OrchestrationRuntimeStatus.Running
COMPLETED = OrchestrationRuntimeStatus.Completed


def event(**overrides: Any) -> events.StepFinished:
    values: dict[str, Any] = {
        "tenant_id": "default",
        "job_id": "j1",
        "run": 1,
        "step": steps.Step.LID,
        "attempt": 1,
        "reply_to": REPLY_TO,
        "outcome": events.Cancelled(),
        "finished_at": datetime.now(UTC),
    }
    return events.StepFinished(**(values | overrides))


def request() -> messages.StepRequest:
    return messages.StepRequest(
        tenant_id="default",
        job_id="j1",
        run=1,
        step=steps.Step.LID,
        attempt=1,
        result=messages.ResultTarget(key="k", path="default/j1/steps/lid/k.json"),
        inputs={},
        params=params.LidParams(engine=params.LidEngine.WHISPER, model="tiny", revision="1"),
        reply_to=REPLY_TO,
        expires_at=datetime.now(UTC),
    )


@pytest.fixture
def durable() -> api_fixtures.DurableTwin:
    return api_fixtures.DurableTwin(states={INSTANCE: RUNNING})


async def test_event_is_raised_under_the_name_that_is_waited_for(durable: api_fixtures.DurableTwin) -> None:
    sent = event()
    await step_events.deliver_or_wait(durable, sent.model_dump_json().encode(), 1)
    [(instance_id, name, data)] = durable.events
    assert (instance_id, name) == (INSTANCE, "lid.0.1")
    assert events.StepFinished.model_validate(data) == sent


async def test_event_for_an_instance_that_is_over_is_let_go(durable: api_fixtures.DurableTwin) -> None:
    durable.states[INSTANCE] = COMPLETED
    assert not await step_events.deliver(durable, event())
    assert durable.events == []


async def test_event_for_a_missing_instance_comes_again_later(
    durable: api_fixtures.DurableTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("function_app.step_events.asyncio.sleep", pause)
    durable.states.clear()
    for delivery_count in (1, 3, 9):
        with pytest.raises(errors.InstanceMissingError):
            await step_events.deliver_or_wait(durable, event().model_dump_json().encode(), delivery_count)
    assert pauses == [1, 3, 5]


async def test_event_comes_again_when_durable_does_not_take_it(durable: api_fixtures.DurableTwin) -> None:
    durable.away = True
    with pytest.raises(errors.DurableUnavailableError):
        await step_events.deliver(durable, event())


async def test_instance_that_ends_while_its_event_is_raised_needs_it_no_more(
    durable: api_fixtures.DurableTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: Any) -> None:
        durable.states[INSTANCE] = COMPLETED
        raise RuntimeError("410")

    monkeypatch.setattr(durable, "raise_event", gone)
    assert not await step_events.deliver(durable, event())


@pytest.mark.parametrize(
    ("step", "status", "left"),
    [
        (steps.Step.PREPARE, jobs.JobStatus.COMPLETED, False),
        (steps.Step.PREPARE, jobs.JobStatus.PROCESSING, True),
        (steps.Step.LID, jobs.JobStatus.COMPLETED, True),
    ],
)
async def test_chunks_that_were_made_again_for_an_ended_job_are_removed(
    step: steps.Step, status: jobs.JobStatus, *, left: bool
) -> None:
    with api_fixtures.running_api() as api:
        job_id = api.started()
        if status in jobs.TERMINAL:
            assert api.store.end_run(job_id=job_id, run=1, end=job_store.RunEnd(status=status))
        path = f"{blobs.work_prefix(tenant_id=api_fixtures.TENANT, job_id=job_id)}key/chunk-00000.flac"
        api.blobs.put(blobs.Container.WORK, path, b"fLaC")
        await step_events.remove_late_work(api.parts, event(job_id=job_id, step=step))
        assert (api.blobs.facts(blobs.Container.WORK, path) is not None) is left


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"schema_version": 2}', b"\xff"])
def test_body_that_is_no_event_is_refused_without_being_repeated(body: bytes) -> None:
    with pytest.raises(errors.MessageError) as refused:
        step_events.parse(body)
    assert refused.value.code == ErrorCode.INVALID_MESSAGE
    assert refused.value.__cause__ is None


# Dead letters


def reason(code: str, description: str = "") -> dead_letters.Reason:
    return dead_letters.Reason(code=code, description=description)


@pytest.mark.parametrize(
    ("broker_reason", "code", "retryable"),
    [
        ("TTLExpiredException", ErrorCode.MESSAGE_EXPIRED, True),
        ("MaxDeliveryCountExceeded", ErrorCode.DELIVERIES_EXHAUSTED, True),
        ("schema_version_unsupported", ErrorCode.SCHEMA_VERSION_UNSUPPORTED, False),
        ("invalid_message", ErrorCode.INVALID_MESSAGE, False),
        ("somebody moved it by hand", ErrorCode.DEAD_LETTERED, True),
        ("", ErrorCode.DEAD_LETTERED, True),
    ],
)
async def test_dead_request_fails_its_attempt_with_the_reason(
    durable: api_fixtures.DurableTwin, broker_reason: str, code: ErrorCode, *, retryable: bool
) -> None:
    with api_fixtures.running_api() as api:
        body = request().model_dump_json().encode()
        await dead_letters.give_up_request(api.parts, durable, body, reason=reason(broker_reason, "said so"))
    [(instance_id, name, data)] = durable.events
    assert (instance_id, name) == (INSTANCE, "lid.0.1")
    outcome = events.StepFinished.model_validate(data).outcome
    assert isinstance(outcome, events.Failed)
    assert (outcome.code, outcome.retryable) == (code, retryable)
    assert outcome.message


async def test_dead_request_whose_result_is_there_after_all_is_completed(
    durable: api_fixtures.DurableTwin,
) -> None:
    found = results.LanguageResult(
        language="es", confidence=0.9, votes=(), engine="whisper", model="tiny", revision="1"
    )
    asked = request()
    with api_fixtures.running_api() as api:
        data = found.model_dump_json().encode()
        written = api.blobs.create(
            blobs.Container.RESULTS, asked.result.path, data, content_type="application/json"
        )
        body = asked.model_dump_json().encode()
        await dead_letters.give_up_request(api.parts, durable, body, reason=reason("TTLExpiredException"))
    outcome = events.StepFinished.model_validate(durable.events[0][2]).outcome
    assert isinstance(outcome, events.Completed)
    assert outcome.result == written
    assert outcome.facts == events.LidFacts(language="es", confidence=0.9)


async def test_dead_letters_that_concern_nobody_are_let_go(durable: api_fixtures.DurableTwin) -> None:
    durable.states.clear()
    with api_fixtures.running_api() as api:
        gone = reason("TTLExpiredException")
        await dead_letters.give_up_request(api.parts, durable, b"{", reason=gone)
        await dead_letters.give_up_request(
            api.parts, durable, request().model_dump_json().encode(), reason=gone
        )
        await dead_letters.give_up_event(durable, b"{", reason=gone)
        await dead_letters.give_up_event(durable, event().model_dump_json().encode(), reason=gone)
    assert durable.events == []


async def test_dead_event_is_delivered_when_its_instance_is_there_now(
    durable: api_fixtures.DurableTwin,
) -> None:
    await dead_letters.give_up_event(
        durable, event().model_dump_json().encode(), reason=reason("MaxDeliveryCountExceeded")
    )
    assert [name for _, name, _ in durable.events] == ["lid.0.1"]


async def test_dead_letter_that_cannot_be_answered_now_comes_again_after_a_pause(
    durable: api_fixtures.DurableTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one it would keep a processor busy for as long as the fault lasts."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("function_app.dead_letters.asyncio.sleep", pause)
    asked, gone = request(), reason("TTLExpiredException")
    body = asked.model_dump_json().encode()
    with api_fixtures.running_api() as api:
        durable.away = True
        with pytest.raises(errors.DurableUnavailableError):
            await dead_letters.give_up_request(api.parts, durable, body, reason=gone)
        with pytest.raises(errors.DurableUnavailableError):
            await dead_letters.give_up_event(durable, event().model_dump_json().encode(), reason=gone)
        durable.away = False
        api.blobs.away = True
        with pytest.raises(errors.BlobsUnavailableError):
            await dead_letters.give_up_request(api.parts, durable, body, reason=gone)
        api.blobs.away = False
        api.blobs.put(blobs.Container.RESULTS, asked.result.path, b"a result of another release")
        with pytest.raises(ValueError, match="Invalid JSON"):
            await dead_letters.give_up_request(api.parts, durable, body, reason=gone)
    assert pauses == [dead_letters.PAUSE_SECONDS] * 4
