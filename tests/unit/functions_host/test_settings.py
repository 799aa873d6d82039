"""Settings and connection strings are refused before anything starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from pydantic import SecretStr

from local_stack.functions_host import connections, errors, settings
from tests.integration import azurite_process

STORAGE = (
    "DefaultEndpointsProtocol=http;AccountName=a;BlobEndpoint=http://127.0.0.1:1/a;"
    f"AccountKey={azurite_process.ACCOUNT_KEY};"
)
BUS = "Endpoint=sb://localhost:1;SharedAccessKeyName=k;SharedAccessKey=k;UseDevelopmentEmulator=true;"

Check = Callable[[settings.Settings, str], SecretStr]


@pytest.mark.parametrize(
    ("app_settings", "check", "expected"),
    [
        ({"C": STORAGE}, connections.storage, STORAGE),
        ({"C": BUS}, connections.service_bus, BUS),
        # the prefixed name comes first, as in the real host
        ({"C": "wrong", "AzureWebJobsC": STORAGE}, connections.storage, STORAGE),
    ],
)
def test_connection_is_found(app_settings: Mapping[str, str], check: Check, expected: str) -> None:
    found = check(settings.Settings(app_settings=app_settings), "C")
    assert found.get_secret_value() == expected


@pytest.mark.parametrize(
    ("app_settings", "check", "error", "reason"),
    [
        ({}, connections.storage, errors.MissingAppSettingError, "connection is C"),
        ({"C": ""}, connections.storage, errors.MissingAppSettingError, "connection is C"),
        ({"C__accountName": "a"}, connections.storage, errors.MissingAppSettingError, "not an identity"),
        ({"C": "nonsense"}, connections.storage, errors.InvalidAppSettingError, "no storage"),
        ({"C": "nonsense"}, connections.service_bus, errors.InvalidAppSettingError, "no Service Bus"),
        # the SDK takes this for TLS
        (
            {"C": BUS.replace("true", "True")},
            connections.service_bus,
            errors.InvalidAppSettingError,
            "true in",
        ),
    ],
)
def test_bad_connection_is_refused_without_its_value(
    app_settings: Mapping[str, str], check: Check, error: type[errors.HostError], reason: str
) -> None:
    with pytest.raises(error, match=reason) as refused:
        check(settings.Settings(app_settings=app_settings), "C")
    assert "nonsense" not in str(refused.value)


def test_bad_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_THREADPOOL_THREAD_COUNT", "many")
    with pytest.raises(errors.InvalidAppSettingError, match="PYTHON_THREADPOOL_THREAD_COUNT"):
        settings.read()
