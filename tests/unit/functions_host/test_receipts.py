"""Receipts decide which version of a blob a function gets, and when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack.functions_host import receipts, state

IN_MEMORY = Path(":memory:")
KEY = receipts.Key(function="f", container="c", blob="b", etag="1")


class Clock:
    """A time that moves only when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def database() -> Iterator[state.Database]:
    connection = state.connect(IN_MEMORY)
    yield connection
    connection.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database: state.Database, clock: Clock) -> receipts.Receipts:
    return receipts.Receipts(database, now=clock)


def test_new_version_is_due_and_finished_one_is_not(store: receipts.Receipts) -> None:
    assert store.is_due(KEY)
    store.begin(KEY)
    store.finish(KEY)
    assert not store.is_due(KEY)
    assert store.is_due(receipts.Key(function="f", container="c", blob="b", etag="2"))
    assert store.is_due(receipts.Key(function="other", container="c", blob="b", etag="1"))


def test_failed_version_is_due_again_after_its_delay(store: receipts.Receipts, clock: Clock) -> None:
    store.begin(KEY)
    store.retry_after(KEY, delay_seconds=4, error="ValueError: no")
    clock.seconds += 3.9
    assert not store.is_due(KEY)
    clock.seconds += 0.1
    assert store.is_due(KEY)
    assert store.begin(KEY) == 2


def test_put_aside_version_is_listed_and_never_due(store: receipts.Receipts, clock: Clock) -> None:
    store.begin(KEY)
    store.put_aside(KEY, error="ValueError: no")
    clock.seconds += 1e9
    assert not store.is_due(KEY)
    assert [(one.key, one.attempts, one.error) for one in store.aside()] == [(KEY, 1, "ValueError: no")]


def test_next_process_knows_what_this_one_wrote(store: receipts.Receipts, database: state.Database) -> None:
    # As after SIGKILL: the attempt has begun and nothing is known of its end.
    store.begin(KEY)
    again = receipts.Receipts(database)
    assert again.attempts(KEY) == 1
    assert again.is_due(KEY)


def test_absent_versions_are_forgotten_except_those_aside_in_hand_or_of_other_functions(
    store: receipts.Receipts, database: state.Database
) -> None:
    def key(blob: str, function: str = "f") -> receipts.Key:
        return receipts.Key(function=function, container="c", blob=blob, etag="1")

    for name in ("gone", "listed", "aside", "in_hand"):
        store.begin(key(name))
        store.finish(key(name))
    store.put_aside(key("aside"), error="no")
    store.begin(key("gone", "other"))
    dropped = store.forget_absent({"f"}, listed={("listed", "1")}, keep={key("in_hand")})
    assert dropped == 1
    again = receipts.Receipts(database)
    assert again.attempts(key("gone")) == 0
    assert again.attempts(key("gone", "other")) == 1
    assert {name: again.attempts(key(name)) for name in ("listed", "aside", "in_hand")} == {
        "listed": 1,
        "aside": 1,
        "in_hand": 1,
    }
