"""Versions, instants, actions and the client's URLs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from local_stack.functions_host.durable import actions, client_binding, errors, history, instants, limits


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ("", "", 0),
        ("", "1.0", -1),  # unversioned is older than any version
        ("1.0", " ", 1),
        ("1.2", "1.10", -1),  # by number, not by text
        ("1.0", "1.0.0", -1),  # as System.Version has it: fewer parts are less
        ("2.0.0", "2.0.0", 0),
        ("beta", "ALPHA", 1),  # text, without case
        ("7", "10", 1),  # one number is no System.Version, so text
    ],
)
def test_versions_compare_as_durable_task_does(left: str, right: str, order: int) -> None:
    assert limits.compare_versions(left, right) == order


@pytest.mark.parametrize(
    ("match", "version", "may_run"),
    [
        (limits.VersionMatch.NONE, "9.0", True),
        (limits.VersionMatch.STRICT, "1.1", True),
        (limits.VersionMatch.STRICT, "1.0", False),
        (limits.VersionMatch.CURRENT_OR_OLDER, "1.0", True),
        (limits.VersionMatch.CURRENT_OR_OLDER, "", True),
        (limits.VersionMatch.CURRENT_OR_OLDER, "1.2", False),
    ],
)
def test_match_strategy_says_which_instances_run(
    match: limits.VersionMatch,
    version: str,
    may_run: bool,  # noqa: FBT001 - a column of the table
) -> None:
    bounds = limits.DurableLimits(default_version="1.1", version_match=match)
    assert bounds.may_run(version) is may_run


def test_instants_are_utc_and_sort_as_text() -> None:
    east = datetime(2026, 11, 20, 13, 0, tzinfo=timezone(timedelta(hours=1)))
    assert instants.text(east) == "2026-11-20T12:00:00.000000Z"
    assert instants.parse("2026-11-20T12:00:00.000000Z") == east
    assert instants.parse("2026-11-20T12:00:00") == east
    assert instants.seconds_text("2026-11-20T12:00:00.999999Z") == "2026-11-20T12:00:00Z"
    assert instants.text(east) < instants.text(east + timedelta(microseconds=1))


def test_event_survives_storage() -> None:
    event = history.task_failed(at="2026-11-20T12:00:00.000000Z", task_id=7, reason="no", details="\u4e0d")
    assert history.loads(history.dumps(event)) == event


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"isDone": true}', '{"isDone": true, "actions": [[], []]}']
)
def test_reply_of_another_shape_fails_the_orchestration(text: str) -> None:
    with pytest.raises(errors.OrchestrationFailureError, match="valid JSON schema"):
        actions.parse_reply(text)


@pytest.mark.parametrize("kind", [4, 7, 8, 9, 10, 99])
def test_action_that_is_not_built_is_named(kind: int) -> None:
    reply = {"isDone": False, "actions": [[{"actionType": 12, "compoundActions": [{"actionType": kind}]}]]}
    with pytest.raises(errors.NotBuiltError, match="not built by the local Functions host"):
        actions.parse_reply(json.dumps(reply))


def test_timer_and_retry_keep_their_units() -> None:
    timer = {"actionType": 5, "fireAt": "2026-11-20T12:00:00.500000Z", "isCanceled": True}
    options = {"firstRetryIntervalInMilliseconds": 1500, "maxNumberOfAttempts": 3}
    call = {"actionType": 1, "functionName": "A", "input": "1", "retryOptions": options}
    reply = actions.parse_reply(json.dumps({"isDone": False, "actions": [[timer, call]]}))
    fire_at = datetime(2026, 11, 20, 12, 0, 0, 500_000, tzinfo=UTC)
    retry = actions.Retry(interval=timedelta(seconds=1.5), max_attempts=3)
    assert reply.actions == (
        actions.CreateTimer(fire_at=fire_at, is_cancelled=True),
        actions.CallActivity(name="A", input_text="1", retry=retry),
    )


def test_client_json_has_what_the_sdk_reads() -> None:
    binding = json.loads(client_binding.client_json("Hub", "http://127.0.0.1:7071/"))
    assert binding["rpcBaseUrl"] == "http://127.0.0.1:7071/durabletask/"
    assert binding["taskHubName"] == "Hub"
    links = binding["managementUrls"]
    assert all(links["id"] in link for link in links.values())
    assert links["terminatePostUri"].startswith(
        "http://127.0.0.1:7071/runtime/webhooks/durabletask/instances/"
    )
