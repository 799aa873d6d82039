"""One nursery for a module's processes."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

# What the checks compared is what a failure must show.
pytest.register_assert_rewrite("tests.integration.crash_points.broker_scenarios")

from tests.integration.crash_points import nursery  # noqa: E402 # after the line above, which must come first


@pytest.fixture(scope="module")
def children(tmp_path_factory: pytest.TempPathFactory) -> Iterator[nursery.Nursery]:
    running = nursery.Nursery(tmp_path_factory.mktemp("nursery") / "children.log")
    yield running
    running.close()


@pytest.fixture
def forgotten_sockets() -> Iterator[None]:
    """A client whose broker dies forgets to close some: collected here and not in somebody else's test."""
    yield
    gc.collect()
