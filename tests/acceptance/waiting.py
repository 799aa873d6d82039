"""Waiting for a condition, with a limit."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], bool], what: str, *, limit_seconds: float = 30.0) -> None:
    deadline = time.monotonic() + limit_seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {limit_seconds:.0f} s in vain for {what}"
        time.sleep(0.01)
