"""What holds for all tests: which share a process when several run side by side, and that none is timed."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

# By default an example that takes more than 0.2 s fails its test: a busy machine would fail any of them.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


class ModulesTogether(LoadScopeScheduling):  # type: ignore[misc] # published without types
    """A module's tests stay in one process, for their servers' sake; the acceptance tests share one stack.

    pytest-xdist's own groups do not work with pytest 9.2, which no longer lets plugins rename a test.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", 1)[0]
        return "acceptance" if path.startswith("tests/acceptance/") else path


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ModulesTogether:
    return ModulesTogether(config, log)
