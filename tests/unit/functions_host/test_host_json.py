"""host.json: what is obeyed, overridden, named as ignored, and refused."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local_stack.functions_host import errors, host_json

REPOSITORY = Path(__file__).resolve().parents[3]


def write(folder: Path, document: Any) -> Path:
    path = folder / "host.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_own_host_json_is_obeyed_whole() -> None:
    host = host_json.read(REPOSITORY / "host.json", {})
    assert host_json.ignored_keys(host) == []
    assert host.extensions.http.route_prefix == ""
    assert host.function_timeout == timedelta(minutes=30)
    assert host.extensions.blobs.poison_blob_threshold == 5
    limits = host.extensions.durable_task.engine_limits()
    assert (limits.default_version, limits.max_concurrent_activities) == ("1.0", 8)


def test_defaults_are_the_runtime_s(tmp_path: Path) -> None:
    host = host_json.read(write(tmp_path, {"version": "2.0"}), {})
    assert host.extensions.http.route_prefix == "api"
    assert host.extensions.service_bus.max_concurrent_calls == 16
    assert host.extensions.service_bus.max_auto_lock_renewal_duration == timedelta(minutes=5)


def test_app_settings_fill_names_and_override_values(tmp_path: Path) -> None:
    path = write(tmp_path, {"version": "2.0", "extensions": {"durableTask": {"hubName": "%HUB%"}}})
    settings = {"HUB": "Mine", "AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls": "3"}
    host = host_json.read(path, settings)
    assert host.extensions.durable_task.hub_name == "Mine"
    assert host.extensions.service_bus.max_concurrent_calls == 3


def test_name_without_setting_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, {"version": "2.0", "extensions": {"durableTask": {"hubName": "%HUB%"}}})
    with pytest.raises(errors.MissingAppSettingError, match="needs HUB"):
        host_json.read(path, {})


def test_unlimited_function_timeout(tmp_path: Path) -> None:
    assert (
        host_json.read(write(tmp_path, {"version": "2.0", "functionTimeout": "-1"}), {}).function_timeout
        is None
    )


def test_unknown_keys_are_named_and_azure_s_own_are_not(tmp_path: Path) -> None:
    document = {
        "version": "2.0",
        "telemetryMode": "OpenTelemetry",
        "retry": {},
        "extensions": {"queues": {}, "blobs": {"maxDequeueCount": 3}, "durableTask": {"tracing": {}}},
    }
    host = host_json.read(write(tmp_path, document), {})
    assert host_json.ignored_keys(host) == ["extensions.blobs.maxDequeueCount", "extensions.queues", "retry"]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{", "is not JSON"),
        ([], "is not a JSON object"),
        ({}, "version"),
        ({"version": "1.0"}, "version"),
        ({"version": "2.0", "functionTimeout": "5 minutes"}, "functionTimeout.*not a time span"),
        (
            {"version": "2.0", "extensions": {"serviceBus": {"maxConcurrentCalls": 0}}},
            "extensions.serviceBus.maxConcurrentCalls",
        ),
        (
            {"version": "2.0", "extensions": {"durableTask": {"versionMatchStrategy": "Newest"}}},
            "versionMatchStrategy",
        ),
    ],
)
def test_bad_host_json_is_refused_with_its_place(tmp_path: Path, document: Any, reason: str) -> None:
    with pytest.raises(errors.InvalidHostJsonError, match=reason):
        host_json.read(write(tmp_path, document), {})


def test_missing_host_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidHostJsonError, match="There is no"):
        host_json.read(tmp_path / "host.json", {})
