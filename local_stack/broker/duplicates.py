"""Which message ids a queue has seen within its window."""

from __future__ import annotations

from typing import Final

from local_stack.broker import journal
from local_stack.broker.journal import CommitPoint

_FORGOTTEN_AT_ONCE: Final = 500


class History:
    """Ids in the order in which they were seen; kept in the file, so that a restart does not forget."""

    def __init__(self, *, queue: str, window_ms: int, notes: journal.Journal) -> None:
        self._queue = queue
        self._window_ms = window_ms
        self._journal = notes
        self._seen: dict[str, int] = {}

    def load(self, seen: list[tuple[str, int]]) -> None:
        self._seen.update(seen)

    def is_repeat(self, message_id: str, now_ms: int) -> bool:
        seen_ms = self._seen.get(message_id)
        return seen_ms is not None and now_ms - seen_ms < self._window_ms

    def remember(self, message_id: str, now_ms: int) -> None:
        """Start the window of an id. A repeat does not prolong it."""
        self._seen.pop(message_id, None)
        self._seen[message_id] = now_ms
        self._journal.write(CommitPoint.ID_REMEMBERED, self._queue, message_id, now_ms)
        self._journal.on_failure(lambda: self._take_back(message_id))

    def _take_back(self, message_id: str) -> None:
        self._seen.pop(message_id, None)

    def next_due_ms(self) -> int | None:
        oldest = next(iter(self._seen.values()), None)
        return None if oldest is None else oldest + self._window_ms

    def purge(self, now_ms: int) -> None:
        """Forget ids whose window has passed, a few hundred at a time."""
        for _ in range(_FORGOTTEN_AT_ONCE):
            due_ms = self.next_due_ms()
            if due_ms is None or due_ms > now_ms:
                return
            message_id = next(iter(self._seen))
            del self._seen[message_id]
            # No way back: were the write to fail, its window would have passed all the same.
            self._journal.write(CommitPoint.ID_FORGOTTEN, self._queue, message_id)
