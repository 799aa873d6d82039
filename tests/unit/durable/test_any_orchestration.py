"""Orchestrations of any shape, in a world that answers in any order, end as their author would expect.

The SDK's replay and the extension's loop number the work independently; if they ever differed, an
orchestration would take one task's answer for another's, hang or fail as non-deterministic.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_stack.functions_host.durable import history, instants, turn, values

pytestmark = [
    pytest.mark.filterwarnings("ignore:Potential duplicate Task completion"),
    pytest.mark.filterwarnings("ignore:azure.functions df_loads was called without expected_type"),
]

NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
ATTEMPTS = 3
MOST_TURNS = 400


def activity(number: int, failures: int = 0) -> dict[str, int]:
    """What an activity gets: it fails so many times, then returns its number."""
    return {"number": number, "failures": failures}


numbers = st.integers(0, 9)
calls = st.builds(activity, numbers)
retried = st.builds(activity, numbers, st.integers(0, ATTEMPTS))
steps = st.one_of(
    st.tuples(st.just("call"), calls),
    st.tuples(st.just("retry"), retried),
    st.tuples(st.just("all"), st.lists(calls, min_size=1, max_size=4)),
    st.tuples(
        st.just("all_retried"),
        st.lists(st.builds(activity, numbers, st.integers(0, 2)), min_size=1, max_size=3),
    ),
    st.tuples(st.just("sub"), calls),
    st.tuples(st.just("sleep"), st.none()),
    st.tuples(st.just("race"), st.none()),
)


def program(context: Any) -> Generator[Any, Any, Any]:
    """Runs the steps that its input lists."""
    results = []
    for index, (kind, argument) in enumerate(context.get_input()):
        results.append((yield from STEPS[kind](context, index, argument)))
    return results


def _call(context: Any, index: int, argument: Any) -> Generator[Any, Any, Any]:
    return (yield context.call_activity("A", argument))


def _retry(context: Any, index: int, argument: Any) -> Generator[Any, Any, Any]:
    try:
        return (yield context.call_activity_with_retry("A", df.RetryOptions(1000, ATTEMPTS), argument))
    except Exception:  # noqa: BLE001 - the SDK raises a bare Exception
        return "gave up"


def _all(context: Any, index: int, argument: Any) -> Generator[Any, Any, Any]:
    return (yield context.task_all([context.call_activity("A", each) for each in argument]))


def _all_retried(context: Any, index: int, argument: Any) -> Generator[Any, Any, Any]:
    options = df.RetryOptions(1000, ATTEMPTS)
    return (
        yield context.task_all([context.call_activity_with_retry("A", options, each) for each in argument])
    )


def _sub(context: Any, index: int, argument: Any) -> Generator[Any, Any, Any]:
    return (yield context.call_sub_orchestrator("program", argument))


def _sleep(context: Any, index: int, argument: Any) -> Generator[Any, Any, Any]:
    yield context.create_timer(context.current_utc_datetime + timedelta(seconds=5))
    return "slept"


def _race(context: Any, index: int, argument: Any) -> Generator[Any, Any, Any]:
    timer = context.create_timer(context.current_utc_datetime + timedelta(seconds=5))
    event = context.wait_for_external_event(f"event.{index}")
    winner = yield context.task_any([event, timer])
    if winner == event:
        timer.cancel()
        assert event.result == index
    return "raced"


STEPS = {
    "call": _call,
    "retry": _retry,
    "all": _all,
    "all_retried": _all_retried,
    "sub": _sub,
    "sleep": _sleep,
    "race": _race,
}


def expected(kind: str, argument: Any) -> Any:
    if kind in ("all", "all_retried"):
        return [each["number"] for each in argument]
    if kind == "retry":
        return argument["number"] if argument["failures"] < ATTEMPTS else "gave up"
    return {"sleep": "slept", "race": "raced"}[kind] if argument is None else argument["number"]


@dataclass
class World:
    """Everything outside the orchestrator: answers that are on their way, and how often a call has failed."""

    answers: list[history.Event] = field(default_factory=list)
    attempts: dict[str, int] = field(default_factory=dict)

    def take(self, outcome: values.Outcome, at: str) -> None:
        for task in outcome.activities:
            self.answers.append(self._activity(task, at))
        for child in outcome.children:
            argument = json.loads(json.loads(child.input_text))
            result = json.dumps(argument["number"])
            self.answers.append(
                history.sub_orchestration_completed(at=at, task_id=child.task_id, result=result)
            )
        for timer in outcome.timers:
            fire_at = instants.text(timer.fire_at)
            self.answers.append(history.timer_fired(at=at, task_id=timer.task_id, fire_at=fire_at))

    def _activity(self, task: values.ActivityTask, at: str) -> history.Event:
        asked = json.loads(task.input_text)
        key = asked["key"]
        self.attempts[key] = self.attempts.get(key, 0) + 1
        if self.attempts[key] <= asked["failures"]:
            return history.task_failed(at=at, task_id=task.task_id, reason="not yet", details="")
        return history.task_completed(at=at, task_id=task.task_id, result=json.dumps(asked["number"]))


def with_keys(listed: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Tells the activities apart, so that failures are counted for each by itself."""
    keyed: list[tuple[str, Any]] = []
    for index, (kind, argument) in enumerate(listed):
        if isinstance(argument, list):
            named = [{**each, "key": f"{index}.{place}"} for place, each in enumerate(argument)]
            keyed.append((kind, named))
        else:
            keyed.append((kind, argument and {**argument, "key": str(index)}))
    return keyed


registry = df.DFApp()
registry.orchestration_trigger(context_name="context")(program)
APP = turn.App(
    orchestrators={each.get_function_name(): each.get_user_function() for each in registry.get_functions()},
    activity_names=("A",),
)


@settings(max_examples=40, deadline=None)
@given(listed=st.lists(steps, max_size=6), data=st.data())
def test_any_orchestration_completes_with_its_own_answers(
    listed: list[tuple[str, Any]], data: st.DataObject
) -> None:
    listed = with_keys(listed)
    world = World()
    for index, (kind, _) in enumerate(listed):
        if kind == "race":  # early, late or twice: it is for the world to say
            event = history.event_raised(at=instants.text(NOON), name=f"event.{index}", input_text=str(index))
            world.answers += [event] * data.draw(st.integers(0, 2))
    outcome, past = play(json.dumps(json.dumps(listed)), world, data)
    assert outcome.status is values.Status.COMPLETED, outcome.output_text
    assert json.loads(outcome.output_text or "") == [expected(kind, argument) for kind, argument in listed]
    scheduled = [event.event_id for event in past if event.event_id >= 0]
    assert len(scheduled) == len(set(scheduled))


def play(input_text: str, world: World, data: st.DataObject) -> tuple[values.Outcome, list[history.Event]]:
    """Turn after turn, each with some of the answers in some order, until the end."""
    who = values.Execution(instance_id="one", execution_id="run", name="program", version="")
    at = instants.text(NOON)
    inbox = [
        history.execution_started(
            at=at, name="program", version="", input_text=input_text, instance_id="one", execution_id="run"
        )
    ]
    past: list[history.Event] = []
    for number in range(MOST_TURNS):
        now = NOON + timedelta(seconds=number)
        outcome = turn.run(turn.Turn(execution=who, past=past, inbox=inbox, now=now), APP)
        past += outcome.new_events
        if outcome.status.is_final:
            return outcome, past
        world.take(outcome, instants.text(now))
        assert world.answers, "it waits for something that nobody will send"
        inbox = draw_some(world.answers, data)
    raise AssertionError("it does not end")


def draw_some(answers: list[history.Event], data: st.DataObject) -> list[history.Event]:
    """Takes at least one answer out, in any order."""
    count = data.draw(st.integers(1, len(answers)))
    return [answers.pop(data.draw(st.integers(0, len(answers) - 1))) for _ in range(count)]
