"""What runs: written to `.speechflow/stack.json` for the client and for people. Nothing in it is secret."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pydantic


class ProcessView(pydantic.BaseModel):
    """One process of the stack as it is now."""

    model_config = pydantic.ConfigDict(frozen=True)

    pid: int | None
    """None while it is dead."""
    born: str | None
    """Tells the process from a later one with the same pid."""
    ready: bool
    restarts: int
    address: str
    log: Path


class Description(pydantic.BaseModel):
    """A running stack."""

    model_config = pydantic.ConfigDict(frozen=True)

    pid: int
    """The launcher's."""
    started_at: datetime
    ready: bool
    """Every process was ready once."""
    url: str
    """The API."""
    counts_url: str
    """The broker's messages per queue."""
    engines: dict[str, str]
    """What recognises speech and languages."""
    processes: dict[str, ProcessView]


def birth(pid: int) -> str | None:
    """The process's start time as the kernel counts it; None when there is no such process or no /proc.

    proc(5): field 22 of /proc/PID/stat; the name in field 2 may hold spaces and brackets.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    after_name = stat.rpartition(")")[2].split()
    state, started = after_name[0], after_name[19]
    return None if state in ("Z", "X") else started
