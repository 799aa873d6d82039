"""Putting the app together while something that it needs is away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent import futures
from types import SimpleNamespace

import psycopg
import pytest

from function_app import blobs_azure, errors, services, settings
from tests.integration.function_app import store_fixtures


@pytest.fixture(autouse=True)
def nothing_built() -> Iterator[None]:
    services.use(None)
    yield
    services.use(None)


def connections(database_url: str) -> int:
    """That the server has for this database, the one that asks left out."""
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert found is not None
    return int(found[0])


def test_tries_that_fail_half_way_leave_no_connection(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_read: settings.Settings) -> None:
        raise errors.BlobsUnavailableError

    monkeypatch.setattr(blobs_azure, "connect", away)
    read = store_fixtures.store_settings(database_url)
    before = connections(database_url)
    for _ in range(5):
        with pytest.raises(errors.BlobsUnavailableError):
            services.build(read)
    # Servers notice a moment later that a client has gone.
    gone = threading.Event()
    for _ in range(100):
        if connections(database_url) <= before:
            return
        gone.wait(0.1)
    pytest.fail(f"{connections(database_url)} connections are open, and {before} were before")


def test_all_who_wait_for_a_try_that_fails_share_its_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them trying in turn, the last would wait for minutes."""
    callers = 8
    came, all_came = [], threading.Event()
    tries = []

    def clock() -> float:
        came.append(1)
        if len(came) == callers:
            all_came.set()
        return float(len(came))

    def away(_read: object) -> services.Services:
        assert all_came.wait(30)
        tries.append(1)
        raise errors.StoreUnavailableError

    monkeypatch.setattr(services, "time", SimpleNamespace(monotonic=clock))
    monkeypatch.setattr(services, "build", away)
    monkeypatch.setattr(settings, "read", lambda: None)
    with futures.ThreadPoolExecutor(callers) as pool:
        asked = [pool.submit(services.current) for _ in range(callers)]
    assert {type(one.exception()) for one in asked} == {errors.StoreUnavailableError}
    assert len(tries) == 1


def test_call_after_a_try_that_failed_makes_another(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def away(_read: object) -> services.Services:
        tries.append(1)
        raise errors.StoreUnavailableError

    monkeypatch.setattr(services, "build", away)
    monkeypatch.setattr(settings, "read", lambda: None)
    for _ in range(3):
        with pytest.raises(errors.StoreUnavailableError):
            services.current()
    assert len(tries) == 3
