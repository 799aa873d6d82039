"""Every workflow from its start to its end, through the SDK's replay."""

from __future__ import annotations

from typing import Any

import pytest

from contracts import errors, jobs, steps
from local_stack.functions_host.durable import values
from tests.replay import task_hub
from tests.replay import world as worlds
from tests.replay.world import Delivery, World

DELIVERIES = [Delivery.NORMAL, Delivery.EARLY, Delivery.TWICE, Delivery.EARLY_AND_LATER]


def test_transcribe_only_goes_from_upload_to_transcript() -> None:
    world = World(chunk_count=3)
    instance = world.run(worlds.run_input())
    assert instance.status is values.Status.COMPLETED
    assert instance.output == {"status": "completed"}
    assert world.dispatched() == [
        "prepare.0.1",
        *worlds.names(steps.Step.TRANSCRIBE, range(3)),
    ]
    assert world.recorded() == {"prepare": "completed", "transcribe": "completed"}
    assert world.end["language"] == "es"
    assert world.end["duration_seconds"] == 60.0


def test_full_pipeline_identifies_translates_and_summarises() -> None:
    world = World(chunk_count=2)
    instance = world.run(worlds.run_input(jobs.Workflow.FULL_PIPELINE, source_language=None))
    assert instance.output == {"status": "completed"}
    assert world.recorded() == dict.fromkeys(
        ["prepare", "lid", "transcribe", "translate", "summarize"], "completed"
    )
    keys = {"prepare": "0", "lid": "0", "translate": "translate-key", "summarize": "summarize-key"}
    assert world.end["keys"] == keys
    (merge,) = world.called("merge_transcript")
    assert (merge["language"], merge["language_confidence"]) == ("es", 0.9)


def test_lid_only_transcribes_nothing() -> None:
    world = World(chunk_count=2)
    instance = world.run(worlds.run_input(jobs.Workflow.LID_ONLY, source_language=None))
    assert instance.output == {"status": "completed"}
    assert world.dispatched() == ["prepare.0.1", "lid.0.1"]
    assert world.called("merge_transcript") == []


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_answers_that_come_early_or_twice_change_nothing(delivery: Delivery) -> None:
    given = worlds.run_input(jobs.Workflow.FULL_PIPELINE, source_language=None)
    plain, odd = World(chunk_count=3), World(chunk_count=3)
    all_names = ["prepare.0.1", "lid.0.1", *worlds.names(steps.Step.TRANSCRIBE, range(3))]
    odd.delivery = dict.fromkeys(all_names, delivery)
    assert plain.run(given).output == odd.run(given).output
    assert plain.end == odd.end


def test_backstop_fires_and_reconciliation_finds_the_result() -> None:
    world = World(found_by_reconciliation={"prepare.0.1"})
    world.delivery = {"prepare.0.1": Delivery.NEVER}
    instance = world.run(worlds.run_input())
    assert instance.output == {"status": "completed"}
    assert world.dispatched().count("prepare.0.1") == 1
    assert "prepare.0.2" not in world.dispatched()
    assert ("timer", task_hub.START.replace(minute=31)) in world.hub.fired


def test_lost_answer_is_asked_for_again_under_the_next_attempt() -> None:
    world = World()
    world.delivery = {"prepare.0.1": Delivery.NEVER}
    assert world.run(worlds.run_input()).output == {"status": "completed"}
    assert world.dispatched()[:2] == ["prepare.0.1", "prepare.0.2"]


def test_answer_after_the_backstop_is_ignored() -> None:
    world = World()
    world.delivery = {"prepare.0.1": Delivery.LATE}
    assert world.run(worlds.run_input()).output == {"status": "completed"}
    assert world.dispatched()[:2] == ["prepare.0.1", "prepare.0.2"]


def test_retryable_failures_are_tried_again_after_growing_pauses() -> None:
    world = World()
    world.script = {"prepare.0.1": worlds.failure(), "prepare.0.2": worlds.failure()}
    assert world.run(worlds.run_input()).output == {"status": "completed"}
    assert world.dispatched()[:3] == ["prepare.0.1", "prepare.0.2", "prepare.0.3"]
    pauses = [(due - task_hub.START).total_seconds() for _, due in world.hub.fired[:2]]
    assert pauses == [5.0, 15.0]
    record = world.called("record_step")[0]
    assert record["attempt"] == 3


def test_retryable_failure_at_the_last_attempt_fails_the_job() -> None:
    world = World()
    world.script = {f"prepare.0.{attempt}": worlds.failure() for attempt in (1, 2, 3)}
    assert world.run(worlds.run_input()).output == {"status": "failed"}
    assert world.dispatched() == ["prepare.0.1", "prepare.0.2", "prepare.0.3"]
    assert world.end["error"]["code"] == errors.ErrorCode.ENGINE_FAILED
    assert world.recorded() == {"prepare": "failed", "transcribe": "skipped"}


def test_final_failure_is_not_tried_again() -> None:
    world = World()
    world.script = {"prepare.0.1": worlds.failure(errors.ErrorCode.NOT_AUDIO, "This is a text file.")}
    assert world.run(worlds.run_input()).output == {"status": "failed"}
    assert world.dispatched() == ["prepare.0.1"]
    assert world.end["error"] == {"step": "prepare", "code": "not_audio", "message": "This is a text file."}


def test_result_that_is_there_is_not_waited_for() -> None:
    world = World(reused={"prepare.0.1", *worlds.names(steps.Step.TRANSCRIBE, range(3))})
    instance = world.run(worlds.run_input())
    assert instance.output == {"status": "completed"}
    assert world.hub.fired == []


def test_chunk_that_fails_for_good_leaves_the_job_partially_complete() -> None:
    world = World(chunk_count=3)
    world.script = {"transcribe.1.1": worlds.failure(errors.ErrorCode.CORRUPT_AUDIO, "It cannot be read.")}
    assert world.run(worlds.run_input()).output == {"status": "partial_complete"}
    assert world.end["failed_chunks"] == [1]
    assert world.end["errors"][0]["message"] == "1 of 3 chunks could not be transcribed: It cannot be read."
    assert world.end["error"] is None
    (merge,) = world.called("merge_transcript")
    assert list(merge["failures"]) == ["1"]


def test_job_fails_when_every_chunk_fails() -> None:
    world = World(chunk_count=2)
    world.script = dict.fromkeys(
        worlds.names(steps.Step.TRANSCRIBE, range(2)),
        worlds.failure(errors.ErrorCode.CORRUPT_AUDIO, "It cannot be read."),
    )
    assert world.run(worlds.run_input()).output == {"status": "failed"}
    assert world.called("merge_transcript") == []
    assert world.end["error"]["code"] == errors.ErrorCode.CORRUPT_AUDIO


def test_language_that_the_engine_lacks_is_asked_for_once_per_lane() -> None:
    world = World(chunk_count=6)
    refusal = worlds.failure(errors.ErrorCode.UNSUPPORTED_LANGUAGE, "It knows English only.")
    world.script = dict.fromkeys(worlds.names(steps.Step.TRANSCRIBE, range(6)), refusal)
    assert world.run(worlds.run_input(lanes=2)).output == {"status": "failed"}
    assert world.dispatched() == ["prepare.0.1", "transcribe.0.1", "transcribe.1.1"]


@pytest.mark.parametrize(
    "step",
    ["prepare.0.1", "lid.0.1", "transcribe.0.1", "transcribe.2.1"],
)
def test_cancelled_before_a_step_ends_without_it(step: str) -> None:
    world = World(chunk_count=3, cancelled_at=step)
    instance = world.run(worlds.run_input(jobs.Workflow.FULL_PIPELINE, source_language=None))
    assert instance.status is values.Status.COMPLETED
    assert instance.output == {"status": "cancelled"}
    assert world.end["status"] == "cancelled"
    assert world.called("translate") == []


@pytest.mark.parametrize("step", ["prepare.0.1", "lid.0.1", "transcribe.0.1"])
def test_worker_that_sees_the_cancel_marker_ends_the_run(step: str) -> None:
    world = World(chunk_count=3)
    world.script = {step: worlds.CANCELLED}
    instance = world.run(worlds.run_input(jobs.Workflow.FULL_PIPELINE, source_language=None))
    assert instance.output == {"status": "cancelled"}
    assert world.called("summarize") == []


def test_cancelled_while_the_language_model_works() -> None:
    world = World(language_answers={"translate": [worlds.CANCELLED], "summarize": [worlds.CANCELLED]})
    instance = world.run(worlds.run_input(jobs.Workflow.FULL_PIPELINE))
    assert instance.output == {"status": "cancelled"}


def test_run_that_is_over_before_it_begins_does_nothing() -> None:
    world = World(is_cancelled=True)
    assert world.run(worlds.run_input()).output == {"status": "cancelled"}
    assert [name for name, _ in world.hub.calls] == ["begin_run"]


def test_silent_recording_completes_with_an_empty_transcript() -> None:
    world = World(chunk_count=0)
    given = worlds.run_input(jobs.Workflow.FULL_PIPELINE, source_language=None)
    assert world.run(given).output == {"status": "completed"}
    assert world.dispatched() == ["prepare.0.1"]
    assert len(world.called("merge_transcript")) == 1
    reasons = {call["step"]: call["reason"] for call in world.called("skip_step")}
    assert reasons == {"lid": "no_speech", "translate": "no_speech", "summarize": "no_speech"}


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        # The caller gave the language.
        ({"source_language": "es"}, {"lid": "language_given"}),
        # English into English.
        ({"source_language": "en-GB"}, {"lid": "language_given", "translate": "same_language"}),
        # No endpoint.
        ({"translates": False}, {"lid": "language_given", "translate": "no_language_model"}),
        # Both: the recording's own language is the better reason.
        (
            {"source_language": "en", "translates": False},
            {"lid": "language_given", "translate": "same_language"},
        ),
    ],
)
def test_steps_are_skipped_for_a_reason(changes: dict[str, Any], reasons: dict[str, str]) -> None:
    world = World()
    given = worlds.run_input(jobs.Workflow.FULL_PIPELINE, **changes)
    assert world.run(given).output == {"status": "completed"}
    assert {call["step"]: call["reason"] for call in world.called("skip_step")} == reasons


def test_failed_translation_leaves_transcript_and_summary() -> None:
    refusal = worlds.failure(errors.ErrorCode.LANGUAGE_MODEL_REFUSED, "The model declined.")
    world = World(language_answers={"translate": [refusal]})
    assert world.run(worlds.run_input(jobs.Workflow.FULL_PIPELINE)).output == {"status": "partial_complete"}
    assert world.recorded()["translate"] == "failed"
    assert world.recorded()["summarize"] == "completed"
    assert world.end["keys"] == {"prepare": "0", "summarize": "summarize-key"}


def test_rate_limit_becomes_a_durable_timer_and_costs_no_attempt() -> None:
    limited = worlds.failure(errors.ErrorCode.LANGUAGE_MODEL_RATE_LIMITED, "Quota.") | {
        "retry_after_seconds": 61.0
    }
    world = World(language_answers={"translate": [limited] * 5})
    assert world.run(worlds.run_input(jobs.Workflow.FULL_PIPELINE)).output == {"status": "completed"}
    assert len(world.called("translate")) == 6
    waited = [due for _, due in world.hub.fired]
    assert (waited[-1] - task_hub.START).total_seconds() == 5 * 61


def test_pause_that_is_asked_for_is_never_shorter_than_the_first_retry() -> None:
    limited = worlds.failure(errors.ErrorCode.LANGUAGE_MODEL_RATE_LIMITED, "Quota.") | {
        "retry_after_seconds": 0.0
    }
    world = World(language_answers={"translate": [limited]})
    given = worlds.run_input(jobs.Workflow.FULL_PIPELINE)
    assert world.run(given).output == {"status": "completed"}
    (waited,) = [due for _, due in world.hub.fired]
    assert (waited - task_hub.START).total_seconds() == given["limits"]["retry_first_delay_seconds"]


@pytest.mark.parametrize(
    ("code", "progressed", "status"),
    [
        (errors.ErrorCode.LANGUAGE_MODEL_RATE_LIMITED, True, "completed"),
        (errors.ErrorCode.LANGUAGE_MODEL_UNAVAILABLE, True, "completed"),
        (errors.ErrorCode.LANGUAGE_MODEL_RATE_LIMITED, False, "failed"),
        (errors.ErrorCode.LANGUAGE_MODEL_UNAVAILABLE, False, "failed"),
    ],
)
def test_long_transcript_may_meet_any_number_of_limits_as_long_as_it_gets_on(
    code: errors.ErrorCode, *, progressed: bool, status: str
) -> None:
    failure = worlds.failure(code, "Not now.") | {"progressed": progressed}
    world = World(language_answers={"translate": [failure] * 40})
    world.run(worlds.run_input(jobs.Workflow.FULL_PIPELINE))
    assert world.recorded()["translate"] == status


def test_work_that_needs_several_calls_goes_on_where_it_was() -> None:
    world = World(language_answers={"summarize": [{"status": "unfinished"}, {"status": "unfinished"}]})
    assert world.run(worlds.run_input(jobs.Workflow.FULL_PIPELINE)).output == {"status": "completed"}
    assert len(world.called("summarize")) == 3
    assert world.hub.fired == []


@pytest.mark.parametrize("activity", ["begin_run", "dispatch_step", "merge_transcript", "record_step"])
def test_activity_that_fails_at_every_attempt_still_ends_the_job(activity: str) -> None:
    world = World(broken={activity})
    instance = world.run(worlds.run_input())
    assert instance.status is values.Status.COMPLETED
    assert instance.output == {"status": "failed"}
    assert world.end["error"]["code"] == errors.ErrorCode.INTERNAL_ERROR


def test_store_that_refuses_progress_loses_no_chunk() -> None:
    world = World(broken={"record_chunk"})
    assert world.run(worlds.run_input()).output == {"status": "completed"}


def test_instance_fails_when_even_its_end_cannot_be_written() -> None:
    world = World(broken={"begin_run", "fail_run"})
    assert world.run(worlds.run_input()).status is values.Status.FAILED


def test_mistake_in_the_flow_fails_the_instance_and_is_not_taken_for_bad_weather() -> None:
    world = World()
    given = worlds.run_input() | {"workflow": "no_such_workflow"}
    assert world.run(given).status is values.Status.FAILED
    assert world.hub.calls == []


def test_history_holds_references_and_never_grows_with_the_recording() -> None:
    world = World(chunk_count=32)
    instance = world.run(worlds.run_input(lanes=8))
    sizes = [len(str(event.fields)) for event in instance.past]
    assert max(sizes) < 5000
    assert instance.custom_status == {"step": "transcribe"}
