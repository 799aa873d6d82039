"""Real servers for the integration tests: started once, or once per module where state would leak."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from local_stack import postgres
from tests.integration import azurite_process


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.PostgresProcess]:
    """One server for the whole run; a test that kills a server starts its own."""
    with postgres.running_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="module")
def database_url(request: pytest.FixtureRequest, postgres_server: postgres.PostgresProcess) -> str:
    """An empty database of the module's own."""
    name = re.sub(r"\W", "_", request.module.__name__).lower()[-60:]
    return postgres_server.create_database(name)


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[azurite_process.AzuriteProcess]:
    """A blob service of the module's own."""
    with azurite_process.running_azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running
