"""What falls due when: a heap that forgets stale entries once they outnumber the live ones."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")

_SLACK = 1024


class Agenda(Generic[Key]):
    """Keys by due time in milliseconds. `is_live(due, key)` says whether an entry still means something."""

    def __init__(self, is_live: Callable[[int, Key], bool]) -> None:
        self._is_live = is_live
        self._heap: list[tuple[int, int, Key]] = []
        self._compact_at = _SLACK
        self._order = 0

    def add(self, due_ms: int, key: Key) -> None:
        self._order += 1
        heapq.heappush(self._heap, (due_ms, self._order, key))
        if len(self._heap) > self._compact_at:
            self._compact()

    def _compact(self) -> None:
        self._heap = [entry for entry in self._heap if self._is_live(entry[0], entry[2])]
        heapq.heapify(self._heap)
        self._compact_at = 2 * len(self._heap) + _SLACK

    def next_due_ms(self) -> int | None:
        """When the next live entry falls due."""
        while self._heap and not self._is_live(self._heap[0][0], self._heap[0][2]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_due(self, now_ms: int) -> Key | None:
        """Remove and return one live key that is due, earliest first."""
        due = self.next_due_ms()
        if due is None or due > now_ms:
            return None
        return heapq.heappop(self._heap)[2]
