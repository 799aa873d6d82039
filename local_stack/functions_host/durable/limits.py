"""What host.json's `extensions.durableTask` says, as far as this host obeys it."""

from __future__ import annotations

import enum
import os
import re
from dataclasses import dataclass, field
from typing import Any

_DOTTED = re.compile(r"\d+(\.\d+){1,3}", re.ASCII)


class VersionMatch(enum.StrEnum):
    """Which instances this app may run, by their version."""

    NONE = "None"
    STRICT = "Strict"
    CURRENT_OR_OLDER = "CurrentOrOlder"


class VersionFailure(enum.StrEnum):
    """What becomes of an instance that this app may not run."""

    REJECT = "Reject"  # it waits until an app of its version comes
    FAIL = "Fail"


def _ten_per_core() -> int:
    return 10 * (os.cpu_count() or 1)


@dataclass(frozen=True, kw_only=True)
class DurableLimits:
    """Concurrency and versions. Defaults are the extension's: ten of each kind per core, unversioned."""

    task_hub: str = "SpeechFlowHub"
    max_concurrent_orchestrators: int = field(default_factory=_ten_per_core)
    max_concurrent_activities: int = field(default_factory=_ten_per_core)
    default_version: str = ""
    version_match: VersionMatch = VersionMatch.CURRENT_OR_OLDER
    version_failure: VersionFailure = VersionFailure.REJECT

    def may_run(self, version: str) -> bool:
        """Whether an instance of that version may run here, by the extension's rules."""
        if self.version_match is VersionMatch.STRICT:
            return version == self.default_version
        if self.version_match is VersionMatch.CURRENT_OR_OLDER:
            return compare_versions(version, self.default_version) <= 0
        return True


def compare_versions(left: str, right: str) -> int:
    """Negative, zero or positive; the order of DurableTask.Core's VersioningSettings.CompareVersions.

    Unversioned is lowest; dotted numbers compare by number; anything else by text, without case.
    """
    if not left.strip() or not right.strip():
        return bool(left.strip()) - bool(right.strip())
    if _DOTTED.fullmatch(left.strip()) and _DOTTED.fullmatch(right.strip()):
        return _order([int(part) for part in left.split(".")], [int(part) for part in right.split(".")])
    return _order(left.casefold(), right.casefold())


def _order(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)
