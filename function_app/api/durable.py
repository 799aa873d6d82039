"""The durable client of the request at hand: the Functions host gives it to the trigger, not to FastAPI."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final

from function_app import runs

_client: Final[ContextVar[runs.RunClient]] = ContextVar("durable_client")


@contextlib.contextmanager
def using(client: runs.RunClient) -> Iterator[None]:
    """What `client` answers in here, and in whatever is started from here."""
    token = _client.set(client)
    try:
        yield
    finally:
        _client.reset(token)


def client() -> runs.RunClient:
    """Raises LookupError outside of `using`."""
    return _client.get()
