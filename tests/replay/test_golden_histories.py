"""Instances of every released version replay to the end that they had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local_stack.functions_host.durable import actions, history, replayer, turn, values
from tests.replay import golden_histories, task_hub

FILES = sorted(golden_histories.FOLDER.glob("*/*.json"))

_APP = turn.App(orchestrators=task_hub.ORCHESTRATORS, activity_names=task_hub.ACTIVITIES)


def instances(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def events(instance: dict[str, Any]) -> list[history.Event]:
    return [history.loads(json.dumps(event)) for event in instance["events"]]


def reply(instance: dict[str, Any], past: list[history.Event]) -> actions.Reply:
    """The SDK's answer to this history."""
    execution = values.Execution(
        instance_id=instance["instance_id"],
        execution_id="golden",
        name=instance["name"],
        version=instance["version"],
    )
    facts = turn.Turn(execution=execution, past=past, inbox=(), now=task_hub.START)
    return actions.parse_reply(turn._call(facts, _APP))


def turns(past: list[history.Event]) -> list[list[history.Event]]:
    """The history as it was after each turn."""
    ends = [i + 1 for i, event in enumerate(past) if event.kind is history.Kind.ORCHESTRATOR_COMPLETED]
    return [past[:end] for end in ends]


def test_each_orchestrator_has_golden_histories() -> None:
    names = {instance["name"] for path in FILES for instance in instances(path)}
    assert names == set(task_hub.ORCHESTRATORS)
    assert {path.parent.name for path in FILES} >= {golden_histories.VERSION}


def test_version_that_new_instances_get_has_its_golden_histories() -> None:
    host = json.loads((Path(__file__).parents[2] / "host.json").read_text(encoding="utf-8"))
    assert host["extensions"]["durableTask"]["defaultVersion"] == golden_histories.VERSION


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_recorded_instance_replays_to_the_end_that_it_had(path: Path) -> None:
    for instance in instances(path):
        answer = reply(instance, events(instance))
        assert answer.is_done
        assert answer.output == instance["output"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_turn_of_a_recorded_instance_wants_what_was_scheduled_then(path: Path) -> None:
    for instance in instances(path):
        for past in turns(events(instance)):
            loop = replayer.Replayer(reply(instance, past).actions, started_at=task_hub.START)
            loop.feed(past)  # raises NonDeterministicError where history and replay differ
            assert loop.new_work == {}
