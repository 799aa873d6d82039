"""host.json: the part that this host obeys, typed; the rest is named once in the log and left to Azure."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from local_stack.functions_host import errors, time_spans
from local_stack.functions_host.durable import limits

# An app setting of this shape overrides one value of host.json, as in Azure.
OVERRIDE_PREFIX = "AzureFunctionsJobHost__"

# Known keys that have a meaning in Azure only: telemetry, the .NET extensions' download, their storage.
AZURE_ONLY = frozenset(
    {
        "telemetryMode",
        "extensionBundle",
        "logging",
        "extensions.durableTask.storageProvider",
        "extensions.durableTask.tracing",
    }
)

_TEN_PER_CORE = 10 * (os.cpu_count() or 1)


class _Section(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="allow")


class Http(_Section):
    """`extensions.http`."""

    route_prefix: str = "api"
    """What every function's path begins with; empty for paths such as `/jobs`."""


class ServiceBus(_Section):
    """`extensions.serviceBus`."""

    max_concurrent_calls: int = Field(default=16, ge=1)
    """Messages of one queue in hand at a time."""
    prefetch_count: int = Field(default=0, ge=0)
    auto_complete_messages: bool = True
    max_auto_lock_renewal_duration: time_spans.TimeSpan = timedelta(minutes=5)


class Blobs(_Section):
    """`extensions.blobs`."""

    max_degree_of_parallelism: int = Field(default=8 * (os.cpu_count() or 1), ge=1)
    """Blob-triggered invocations at a time, of all functions together."""
    poison_blob_threshold: int = Field(default=5, ge=1)
    """Attempts at one blob before it is put aside."""


class DurableTask(_Section):
    """`extensions.durableTask`: the keys that the engine obeys."""

    hub_name: str = "TestHubName"
    default_version: str = ""
    version_match_strategy: limits.VersionMatch = limits.VersionMatch.CURRENT_OR_OLDER
    version_failure_strategy: limits.VersionFailure = limits.VersionFailure.REJECT
    max_concurrent_activity_functions: int = Field(default=_TEN_PER_CORE, ge=1)
    max_concurrent_orchestrator_functions: int = Field(default=_TEN_PER_CORE, ge=1)

    def engine_limits(self) -> limits.DurableLimits:
        """For the engine."""
        return limits.DurableLimits(
            task_hub=self.hub_name,
            max_concurrent_orchestrators=self.max_concurrent_orchestrator_functions,
            max_concurrent_activities=self.max_concurrent_activity_functions,
            default_version=self.default_version,
            version_match=self.version_match_strategy,
            version_failure=self.version_failure_strategy,
        )


class Extensions(_Section):
    """`extensions`."""

    http: Http = Http()
    service_bus: ServiceBus = ServiceBus()
    blobs: Blobs = Blobs()
    durable_task: DurableTask = DurableTask()


class HostJson(_Section):
    """The whole file; every default is the one of the Functions runtime 4."""

    version: Literal["2.0"]
    function_timeout: time_spans.TimeSpan | None = timedelta(minutes=30)
    """None: no limit, written "-1" in the file."""
    extensions: Extensions = Extensions()

    @field_validator("function_timeout", mode="before")
    @classmethod
    def _unlimited(cls, value: Any) -> Any:
        return None if value == "-1" else value


def read(path: Path, app_settings: Mapping[str, str]) -> HostJson:
    """The file with `%NAME%` and `AzureFunctionsJobHost__…` taken from the app settings.

    Raises InvalidHostJsonError with the place and the reason, MissingAppSettingError for a `%NAME%` that is
    not there.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise errors.InvalidHostJsonError(f"There is no {path}.") from error
    except ValueError as error:
        raise errors.InvalidHostJsonError(f"{path} is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise errors.InvalidHostJsonError(f"{path} is not a JSON object.")
    _override(document, app_settings)
    try:
        return HostJson.model_validate(_resolved(document, app_settings))
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise errors.InvalidHostJsonError(f"{path}, {place}: {first['msg']}.") from error


def ignored_keys(host: HostJson) -> list[str]:
    """Dotted keys of the file that nothing here obeys and that Azure's host is not known to either."""
    return sorted(key for key in _extra_keys(host, "") if key not in AZURE_ONLY)


def resolve(text: str, app_settings: Mapping[str, str]) -> str:
    """`%NAME%` replaced by the app setting NAME, in host.json and in the bindings alike."""

    def setting(match: re.Match[str]) -> str:
        value = app_settings.get(match[1])
        if value is None:
            raise errors.MissingAppSettingError(f"{text!r} needs {match[1]}.")
        return value

    return re.sub(r"%([A-Za-z0-9_:.\-]+)%", setting, text)


def _resolved(value: Any, app_settings: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _resolved(inner, app_settings) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner, app_settings) for inner in value]
    return resolve(value, app_settings) if isinstance(value, str) else value


def _override(document: dict[str, Any], app_settings: Mapping[str, str]) -> None:
    for name, text in app_settings.items():
        if name.startswith(OVERRIDE_PREFIX):
            *sections, last = name.removeprefix(OVERRIDE_PREFIX).split("__")
            target = document
            for section in sections:
                target = target.setdefault(section, {})
                if not isinstance(target, dict):
                    raise errors.InvalidHostJsonError(f"{name}: {section} is no section.")
            target[last] = text


def _extra_keys(section: BaseModel, prefix: str) -> Iterator[str]:
    for key in section.model_extra or {}:
        yield f"{prefix}{key}"
    for name, field in type(section).model_fields.items():
        inner = getattr(section, name)
        if isinstance(inner, _Section):
            yield from _extra_keys(inner, f"{prefix}{field.alias}.")
