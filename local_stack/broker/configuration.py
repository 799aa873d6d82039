"""The queues to serve, from a file in the shape of Microsoft's Service Bus emulator Config.json.

UserConfig.Namespaces[0].Queues[].{Name, Properties}. What that emulator has and this broker has not is
refused with the change to make, so that no queue quietly behaves otherwise than its file says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pydantic

from local_stack.broker import errors

_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,259}$"
_LONGEST_LOCK: Final = timedelta(minutes=5)
# Microsoft writes "never" as the largest .NET TimeSpan, which no Python timedelta holds.
_LONGEST: Final = timedelta(days=36_500)


@dataclass(frozen=True, kw_only=True)
class Queue:
    """One queue; times in milliseconds, None meaning for ever."""

    name: str
    lock_ms: int = 60_000
    max_delivery_count: int = 10
    time_to_live_ms: int | None = None
    dead_letter_on_expiration: bool = False
    duplicate_detection_ms: int | None = None


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class _Properties(_Strict):
    LockDuration: timedelta = timedelta(minutes=1)
    MaxDeliveryCount: int = pydantic.Field(default=10, ge=1, le=2000)
    DefaultMessageTimeToLive: timedelta | None = None
    DeadLetteringOnMessageExpiration: bool = False
    RequiresDuplicateDetection: bool = False
    DuplicateDetectionHistoryTimeWindow: timedelta = timedelta(minutes=10)
    RequiresSession: bool = False
    ForwardTo: str | None = None
    ForwardDeadLetteredMessagesTo: str | None = None

    @pydantic.field_validator("DefaultMessageTimeToLive", mode="before")
    @classmethod
    def _never(cls, value: Any) -> Any:
        return None if isinstance(value, str) and value.startswith("P10675199") else value


class _Queue(_Strict):
    Name: str = pydantic.Field(pattern=_NAME)
    Properties: _Properties = _Properties()


class _Namespace(_Strict):
    Name: str = ""
    Queues: list[_Queue] = pydantic.Field(default_factory=list)
    Topics: list[Any] = pydantic.Field(default_factory=list)


class _UserConfig(_Strict):
    Namespaces: list[_Namespace] = pydantic.Field(min_length=1, max_length=1)
    Logging: dict[str, Any] = pydantic.Field(default_factory=dict)


class _File(_Strict):
    UserConfig: _UserConfig


def read(path: Path) -> list[Queue]:
    """Read the queues; every failure is a ConfigurationError of one plain sentence that names the file."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as failure:
        raise errors.ConfigurationError(f"{path} cannot be read: {failure.strerror}.") from failure
    except ValueError as failure:
        raise errors.ConfigurationError(f"{path} is not JSON: {failure}.") from failure
    try:
        return parse(document)
    except errors.ConfigurationError as failure:
        raise errors.ConfigurationError(f"{path}: {failure}") from failure


def parse(document: Any) -> list[Queue]:
    """Check the parsed file and return its queues, at least one, each name once whatever its case."""
    try:
        namespace = _File.model_validate(document).UserConfig.Namespaces[0]
    except pydantic.ValidationError as failure:
        raise errors.ConfigurationError(_sentence(failure)) from failure
    if namespace.Topics:
        raise errors.ConfigurationError(
            "Topics are not built in this broker; use queues and leave Topics empty."
        )
    if not namespace.Queues:
        raise errors.ConfigurationError("Queues is empty; name at least one queue.")
    queues = [_queue(entry) for entry in namespace.Queues]
    names = [queue.name.lower() for queue in queues]
    for name in names:
        if names.count(name) > 1:
            raise errors.ConfigurationError(
                f"Queue {name} stands there twice; names do not differ by case alone."
            )
    return queues


def _sentence(failure: pydantic.ValidationError) -> str:
    problem = failure.errors()[0]
    place = ".".join(str(part) for part in problem["loc"]) or "the file"
    return f"{place} is not usable: {problem['msg']}."


def _queue(entry: _Queue) -> Queue:
    properties = entry.Properties
    _refuse_what_is_not_built(entry.Name, properties)
    _check_lock(entry.Name, properties.LockDuration)
    return Queue(
        name=entry.Name,
        lock_ms=_milliseconds(properties.LockDuration, entry.Name, "LockDuration"),
        max_delivery_count=properties.MaxDeliveryCount,
        time_to_live_ms=None
        if properties.DefaultMessageTimeToLive is None
        else _milliseconds(properties.DefaultMessageTimeToLive, entry.Name, "DefaultMessageTimeToLive"),
        dead_letter_on_expiration=properties.DeadLetteringOnMessageExpiration,
        duplicate_detection_ms=_milliseconds(
            properties.DuplicateDetectionHistoryTimeWindow, entry.Name, "DuplicateDetectionHistoryTimeWindow"
        )
        if properties.RequiresDuplicateDetection
        else None,
    )


def _refuse_what_is_not_built(name: str, properties: _Properties) -> None:
    if properties.RequiresSession:
        raise errors.ConfigurationError(
            f"Queue {name}: sessions are not built in this broker; set RequiresSession to false."
        )
    for key in ("ForwardTo", "ForwardDeadLetteredMessagesTo"):
        if getattr(properties, key):
            raise errors.ConfigurationError(
                f"Queue {name}: forwarding is not built in this broker; remove {key} or leave it empty."
            )


def _check_lock(name: str, lock: timedelta) -> None:
    if lock > _LONGEST_LOCK:
        raise errors.ConfigurationError(f"Queue {name}: LockDuration is at most PT5M, as in Azure.")


def _milliseconds(value: timedelta, name: str, key: str) -> int:
    if not timedelta(0) < value <= _LONGEST:
        raise errors.ConfigurationError(
            f"Queue {name}: {key} must be longer than nothing and at most 100 years."
        )
    return max(1, int(value / timedelta(milliseconds=1)))
