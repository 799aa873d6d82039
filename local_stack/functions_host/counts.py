"""What each function has done since the host started, for `GET /admin/host/counts`."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TypedDict


class FunctionCounts(TypedDict):
    """One function's row."""

    trigger: str
    invocations: int
    failures: int
    in_flight: int


@dataclass(kw_only=True)
class Counts:
    """Safe to use from any thread: the engine may run an orchestrator's turn in one."""

    _rows: dict[str, FunctionCounts] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, function: str, trigger: str) -> None:
        self._rows[function] = FunctionCounts(trigger=trigger, invocations=0, failures=0, in_flight=0)

    def began(self, function: str) -> None:
        with self._lock:
            self._rows[function]["invocations"] += 1
            self._rows[function]["in_flight"] += 1

    def ended(self, function: str, *, failed: bool) -> None:
        with self._lock:
            self._rows[function]["in_flight"] -= 1
            self._rows[function]["failures"] += failed

    def in_flight(self) -> int:
        with self._lock:
            return sum(row["in_flight"] for row in self._rows.values())

    def snapshot(self) -> dict[str, FunctionCounts]:
        """A copy, by function name."""
        with self._lock:
            return {name: row.copy() for name, row in self._rows.items()}
