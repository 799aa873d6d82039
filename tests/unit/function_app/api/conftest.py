from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.function_app import api_fixtures


@pytest.fixture
def api() -> Iterator[api_fixtures.Api]:
    with api_fixtures.running_api() as running:
        yield running
