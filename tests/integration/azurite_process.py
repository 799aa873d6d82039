"""A real Azurite blob service for one test or one module of tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from local_stack import azurite
from local_stack.azurite import AzuriteProcess, node_binary

ACCOUNT_NAME = azurite.WELL_KNOWN.name
ACCOUNT_KEY = azurite.WELL_KNOWN.key

__all__ = ["ACCOUNT_KEY", "ACCOUNT_NAME", "AzuriteProcess", "node_binary", "running_azurite"]


@contextlib.contextmanager
def running_azurite(directory: Path, *, port: int | None = None) -> Iterator[AzuriteProcess]:
    """Azurite with its data in `directory`, answering before the body runs and gone after it.

    Give the port of an earlier one to bring the same storage back at the same address.
    """
    process = azurite.start(directory, port)
    try:
        yield process
    finally:
        process.terminate()
