"""Which tests share a process when several run the suite side by side."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling


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
