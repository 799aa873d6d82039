"""Settings and services: read once, built once, and clear about what is missing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pydantic
import pytest

from contracts import steps
from function_app import errors, services, settings
from tests.unit.function_app import api_fixtures

NAMES = {
    "DATABASE_URL": "postgresql://user:hunter2@host/db",
    "AzureWebJobsStorage": "AccountKey=hunter2",
    "SERVICE_BUS_CONNECTION_STRING": "SharedAccessKey=hunter2",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("STORAGE_ACCOUNT_URL", "AZURE_STORAGE_CONNECTION_STRING", "SERVICE_BUS_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in NAMES.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_secrets_are_read_and_never_shown(environment: pytest.MonkeyPatch) -> None:
    read = settings.read()
    assert read.database_url.get_secret_value() == NAMES["DATABASE_URL"]
    assert "hunter2" not in repr(read) + read.model_dump_json()


def test_storage_of_the_app_comes_before_the_hosts_own(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AZURE_STORAGE_CONNECTION_STRING", "ours")
    secret = settings.read().azure_storage_connection_string
    assert secret is not None
    assert secret.get_secret_value() == "ours"


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("DATABASE_URL", "DATABASE_URL"),
        ("AzureWebJobsStorage", "AZURE_STORAGE_CONNECTION_STRING or STORAGE_ACCOUNT_URL"),
        ("SERVICE_BUS_CONNECTION_STRING", "SERVICE_BUS_CONNECTION_STRING or SERVICE_BUS_NAMESPACE"),
    ],
)
def test_missing_setting_is_named_and_no_secret_with_it(
    environment: pytest.MonkeyPatch, missing: str, named: str
) -> None:
    environment.delenv(missing)
    with pytest.raises(pydantic.ValidationError) as refused:
        settings.read()
    assert named.lower() in str(refused.value).lower()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("MAX_RETRIES", "0"), ("UPLOAD_URL_MINUTES", "61"), ("LANES", "many"), ("DEFAULT_TENANT_ID", "../x")],
)
def test_setting_out_of_its_bounds_is_refused(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    with pytest.raises(pydantic.ValidationError):
        settings.read()


def test_time_to_live_is_that_of_the_step(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TRANSCRIBE_TIMEOUT_SECONDS", "60")
    read = settings.read()
    assert read.step_timeout_seconds(steps.Step.TRANSCRIBE) == 60
    assert read.step_timeout_seconds(steps.Step.PREPARE) == 1800


@pytest.fixture
def nothing_built() -> Iterator[None]:
    services.use(None)
    yield
    services.use(None)


def test_many_threads_build_services_once(environment: pytest.MonkeyPatch, nothing_built: None) -> None:
    with api_fixtures.running_api() as api:
        parts = api.parts
    built: list[Any] = []

    def build(read: settings.Settings) -> services.Services:
        built.append(read)
        return parts

    environment.setattr(services, "build", build)
    threads = [threading.Thread(target=services.current) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(built) == 1


async def test_services_that_could_not_be_built_are_built_at_the_next_call(
    environment: pytest.MonkeyPatch, nothing_built: None
) -> None:
    with api_fixtures.running_api() as api:
        parts = api.parts
    outcomes: list[services.Services | Exception] = [errors.StoreUnavailableError(), parts]

    def build(_: settings.Settings) -> services.Services:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    environment.setattr(services, "build", build)
    with pytest.raises(errors.StoreUnavailableError):
        await services.ready()
    assert await services.ready() is parts
    assert services.current() is parts
