"""Orchestrators that cannot go on fail their instance with a plain reason, and never the engine."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df
import pytest

from local_stack.functions_host.durable import history, turn, values
from tests.unit.durable.turns import NOON, Orchestrator, app_of, calls_a, completed, execution, play, started

pytestmark = [
    pytest.mark.filterwarnings("ignore:Potential duplicate Task completion"),
    pytest.mark.filterwarnings("ignore:azure.functions df_loads was called without expected_type"),
]


def unknown_activity(context: Any) -> Generator[Any, Any, Any]:
    yield context.call_activity("nowhere")


def unknown_orchestrator(context: Any) -> Generator[Any, Any, Any]:
    yield context.call_sub_orchestrator("nowhere")


def calls_itself(context: Any) -> Generator[Any, Any, Any]:
    yield context.call_sub_orchestrator("calls_itself", None, "one")


def uses_entity(context: Any) -> Generator[Any, Any, Any]:
    yield context.call_entity(df.EntityId("counter", "1"), "get")


def calls_http(context: Any) -> Generator[Any, Any, Any]:
    yield context.call_http("GET", "http://127.0.0.1/")


def starts_anew(context: Any) -> Generator[Any, Any, Any]:
    yield context.call_activity("A")
    context.continue_as_new(None)


def retries_never(context: Any) -> Generator[Any, Any, Any]:
    yield context.call_activity_with_retry("A", df.RetryOptions(1, 0))


def returns_no_json(context: Any) -> Any:
    return object()


def exits(context: Any) -> Any:
    raise SystemExit(3)


def says_half_a_surrogate_pair(context: Any) -> Any:
    raise ValueError("no \ud83d in UTF-8")


@pytest.mark.parametrize(
    ("function", "inboxes", "words"),
    [
        (unknown_activity, [[]], "'nowhere' doesn't exist, is disabled, or is not an activity function"),
        (
            unknown_orchestrator,
            [[]],
            "'nowhere' doesn't exist, is disabled, or is not an orchestrator function",
        ),
        (calls_itself, [[]], "must be different than the instance ID of a parent"),
        (uses_entity, [[]], "call_entity is not built"),
        (calls_http, [[]], "call_http is not built"),
        (starts_anew, [[], [completed(0)]], "continue_as_new is not built"),
        (retries_never, [[]], "at least 1"),
        (returns_no_json, [[]], "not JSON serializable"),
        (exits, [[]], "SystemExit: 3"),
        (says_half_a_surrogate_pair, [[]], r"no \ud83d in UTF-8"),
    ],
)
def test_what_cannot_go_on_fails_with_a_plain_reason(
    function: Orchestrator, inboxes: list[list[history.Event]], words: str
) -> None:
    outcome = play(function, *inboxes)[-1]
    assert outcome.status is values.Status.FAILED
    assert words in (outcome.output_text or "")


def test_changed_orchestrator_fails_as_non_deterministic() -> None:
    is_new = False

    def changes(context: Any) -> Generator[Any, Any, Any]:
        yield context.call_activity("B" if is_new else "A")

    first = play(changes, [])[0]
    is_new = True
    inbox = (completed(0),)
    this = turn.Turn(execution=execution(changes), past=first.new_events, inbox=inbox, now=NOON)
    outcome = turn.run(this, app_of(changes))
    assert outcome.status is values.Status.FAILED
    assert "Non-deterministic orchestrator" in (outcome.output_text or "")


def test_orchestrator_that_left_the_app_fails_its_instances() -> None:
    this = turn.Turn(execution=execution(calls_a), past=(), inbox=(started(calls_a),), now=NOON)
    outcome = turn.run(this, app_of(unknown_activity))
    assert outcome.status is values.Status.FAILED
    assert "'calls_a' doesn't exist" in (outcome.output_text or "")
