"""One turn, pure, with the real SDK: history and inbox in, history and effects out."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import pytest

from local_stack.functions_host.durable import history, turn, values
from tests.unit.durable.turns import (
    AT,
    NOON,
    app_of,
    calls_a,
    completed,
    execution,
    kinds,
    play,
    started,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:Potential duplicate Task completion"),
    pytest.mark.filterwarnings("ignore:azure.functions df_loads was called without expected_type"),
]


def test_first_turn_schedules_and_the_second_completes() -> None:
    first, second = play(calls_a, [], [completed(0, "done")])
    assert kinds(first) == [
        "OrchestratorStarted",
        "ExecutionStarted",
        "TaskScheduled",
        "OrchestratorCompleted",
    ]
    assert first.status is values.Status.RUNNING
    assert first.activities == (values.ActivityTask(task_id=0, name="A", input_text='{"n": 1}'),)
    assert kinds(second) == [
        "OrchestratorStarted",
        "TaskCompleted",
        "ExecutionCompleted",
        "OrchestratorCompleted",
    ]
    assert second.status is values.Status.COMPLETED
    assert json.loads(second.output_text or "") == {"result": "done"}


def test_execution_started_comes_second_whatever_arrived_first() -> None:
    event = history.event_raised(at=AT, name="early", input_text="1")
    this = turn.Turn(execution=execution(calls_a), past=(), inbox=(event, started(calls_a)), now=NOON)
    outcome = turn.run(this, app_of(calls_a))
    assert kinds(outcome)[:3] == ["OrchestratorStarted", "ExecutionStarted", "EventRaised"]


def test_is_replaying_is_true_for_earlier_turns_only() -> None:
    seen: list[bool] = []

    def notes(context: Any) -> Generator[Any, Any, Any]:
        seen.append(context.is_replaying)
        yield context.call_activity("A")
        seen.append(context.is_replaying)
        yield context.call_activity("B")
        seen.append(context.is_replaying)

    play(notes, [], [completed(0)], [completed(1)])
    assert seen == [False, True, False, True, True, False]


def test_current_time_is_the_turns_and_stays_so_on_replay() -> None:
    seen: list[datetime] = []

    def notes(context: Any) -> Generator[Any, Any, Any]:
        seen.append(context.current_utc_datetime)
        yield context.call_activity("A")
        seen.append(context.current_utc_datetime)

    play(notes, [], [completed(0)])
    assert seen == [NOON, NOON, NOON + timedelta(seconds=1)]


def test_clock_that_goes_back_does_not_take_the_history_back() -> None:
    first = play(calls_a, [])[0]
    inbox = (completed(0),)
    earlier = turn.Turn(
        execution=execution(calls_a), past=first.new_events, inbox=inbox, now=NOON - timedelta(hours=1)
    )
    assert turn.run(earlier, app_of(calls_a)).new_events[0].timestamp == AT


@pytest.mark.parametrize(
    ("input_text", "expected"),
    [
        (None, None),
        (json.dumps(json.dumps({"a": [1]})), {"a": [1]}),  # the SDK's client: JSON in a JSON string
        (json.dumps({"a": 1}), {"a": 1}),  # an operator's POST of an object
    ],
)
def test_input_arrives_as_the_client_gave_it(input_text: str | None, expected: Any) -> None:
    def returns_input(context: Any) -> Any:
        return context.get_input()

    outcome = play(returns_input, [], input_text=input_text)[0]
    assert json.loads(outcome.output_text or "") == expected


def test_version_and_identity_are_visible() -> None:
    def tells(context: Any) -> Any:
        return [context.version, context.instance_id, context.parent_instance_id]

    assert json.loads(play(tells, [])[0].output_text or "") == ["1.0.0", "one", None]


def test_custom_status_is_taken_and_absence_leaves_it() -> None:
    def sets(context: Any) -> Generator[Any, Any, Any]:
        context.set_custom_status({"step": 1})
        yield context.call_activity("A")

    assert play(sets, [])[0].custom_status_text == '{"step": 1}'
    assert play(calls_a, [])[0].custom_status_text is None


def test_sub_orchestration_gets_default_version_and_a_repeatable_id() -> None:
    def parent(context: Any) -> Generator[Any, Any, Any]:
        yield context.task_all(
            [
                context.call_sub_orchestrator("parent", {"n": 1}),
                context.call_sub_orchestrator("parent", None, "named", version="1.5"),
            ]
        )

    outcome = play(parent, [])[0]
    assert [(child.instance_id, child.version) for child in outcome.children] == [
        ("run:0", "2.0.0"),
        ("named", "1.5"),
    ]
    assert outcome.children[0].input_text == json.dumps('{"n": 1}')


def test_exception_fails_the_instance_in_the_extensions_words() -> None:
    def breaks(context: Any) -> Generator[Any, Any, Any]:
        yield context.call_activity("A")
        raise ValueError("bad luck")

    outcome = play(breaks, [], [completed(0)])[1]
    assert outcome.status is values.Status.FAILED
    assert outcome.output_text == "Orchestrator function 'breaks' failed: bad luck"


def test_activity_failure_reaches_the_orchestrator_with_reason_and_details() -> None:
    def catches(context: Any) -> Generator[Any, Any, Any]:
        try:
            yield context.call_activity("A")
        except Exception as failure:  # noqa: BLE001 - the SDK raises a bare Exception
            return str(failure)

    failure = history.task_failed(
        at=AT, task_id=0, reason="Activity function 'A' failed: ValueError: x", details="trace"
    )
    outcome = play(catches, [], [failure])[1]
    assert json.loads(outcome.output_text or "") == "Activity function 'A' failed: ValueError: x \n trace"


def test_termination_ends_the_instance_without_running_it() -> None:
    terminated = history.execution_terminated(at=AT, reason="enough")
    first, second = play(calls_a, [], [completed(0), terminated])
    assert first.status is values.Status.RUNNING
    assert (second.status, second.output_text) == (values.Status.TERMINATED, "enough")
    assert second.activities == ()


def test_timer_cancelled_in_the_last_turn_does_not_keep_the_instance() -> None:
    def races(context: Any) -> Generator[Any, Any, Any]:
        timer = context.create_timer(context.current_utc_datetime + timedelta(minutes=1))
        event = context.wait_for_external_event("go")
        yield context.task_any([event, timer])
        timer.cancel()

    go = history.event_raised(at=AT, name="go", input_text="1")
    first, second = play(races, [], [go])
    assert [timer.fire_at for timer in first.timers] == [NOON + timedelta(minutes=1)]
    assert second.status is values.Status.COMPLETED


def test_timer_left_open_keeps_the_instance_running_until_it_fires() -> None:
    def forgets(context: Any) -> Generator[Any, Any, Any]:
        timer = context.create_timer(context.current_utc_datetime + timedelta(seconds=1))
        yield context.task_any([context.wait_for_external_event("go"), timer])
        return "done"

    go = history.event_raised(at=AT, name="go", input_text="1")
    fired = history.timer_fired(at=AT, task_id=0, fire_at=AT)
    statuses = [outcome.status for outcome in play(forgets, [], [go], [fired])]
    assert statuses == [values.Status.RUNNING, values.Status.RUNNING, values.Status.COMPLETED]
