"""Where the messages of one queue stand in memory, and the way back when the file refuses a turn."""

from __future__ import annotations

import heapq
import operator
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from local_stack.broker import agenda, journal
from local_stack.broker.entries import Entry, Status

_SLACK: Final = 1024


class Shelf:
    """The indexes of one queue. Change an entry between `begin_change` and `index` only.

    `expires` is False for dead letters, whose time to live no longer counts.
    """

    def __init__(self, notes: journal.Journal, *, expires: bool) -> None:
        self.size_bytes = 0
        self.is_touched = True
        self._journal = notes
        self._expires = expires
        self._entries: dict[int, Entry] = {}
        self._locked: dict[UUID, Entry] = {}
        self._scheduled: set[int] = set()
        self._ready: list[int] = []
        self._lock_ends = agenda.Agenda[UUID](self._is_lock_end)
        self._expiries = agenda.Agenda[int](self._is_expiry)
        self._activations = agenda.Agenda[int](self._is_activation)

    def _is_lock_end(self, due_ms: int, token: UUID) -> bool:
        entry = self._locked.get(token)
        return entry is not None and entry.lock is not None and entry.lock.until_ms == due_ms

    def _is_expiry(self, due_ms: int, sequence: int) -> bool:
        entry = self._entries.get(sequence)
        return entry is not None and entry.status is Status.READY and entry.expires_ms == due_ms

    def _is_activation(self, _due_ms: int, sequence: int) -> bool:
        return sequence in self._scheduled

    def index(self, entry: Entry) -> None:
        self.is_touched = True
        self._entries[entry.sequence] = entry
        self.size_bytes += entry.content.size_bytes
        if entry.lock is not None:
            self._locked[entry.lock.token] = entry
            self._lock_ends.add(entry.lock.until_ms, entry.lock.token)
        elif entry.status is Status.SCHEDULED:
            self._scheduled.add(entry.sequence)
            self._activations.add(entry.scheduled_ms or 0, entry.sequence)
        else:
            self._add_ready(entry.sequence)
            if entry.expires_ms is not None and self._expires:
                self._expiries.add(entry.expires_ms, entry.sequence)

    def _add_ready(self, sequence: int) -> None:
        heapq.heappush(self._ready, sequence)
        # Stale numbers go when they come to the top; where nobody receives, that is never.
        if len(self._ready) > 2 * len(self._entries) + _SLACK:
            self._ready = sorted(
                number for number, entry in self._entries.items() if entry.status is Status.READY
            )

    def unindex(self, entry: Entry) -> None:
        if self._entries.pop(entry.sequence, None) is None:
            return
        self.size_bytes -= entry.content.size_bytes
        self._scheduled.discard(entry.sequence)
        if entry.lock is not None:
            self._locked.pop(entry.lock.token, None)

    def begin_change(self, entry: Entry) -> None:
        """Take the entry out of the indexes and note in the journal how it stood."""
        before = _standing(entry)
        self.unindex(entry)
        self._journal.on_failure(lambda: self._put_back(entry, before))

    def _put_back(self, entry: Entry, before: tuple[Any, ...]) -> None:
        self.unindex(entry)
        for name, value in zip(_STANDING, before, strict=True):
            setattr(entry, name, value)
        self.index(entry)

    def first_ready(self) -> Entry | None:
        """The ready message with the lowest sequence number; it stays."""
        while self._ready:
            entry = self._entries.get(self._ready[0])
            if entry is not None and entry.status is Status.READY:
                return entry
            heapq.heappop(self._ready)
        return None

    def locked(self, token: UUID) -> Entry | None:
        return self._locked.get(token)

    def scheduled(self, sequence: int) -> Entry | None:
        return self._entries[sequence] if sequence in self._scheduled else None

    def from_sequence(self, sequence: int, count: int) -> list[Entry]:
        """Up to `count` messages in any status, from a sequence number upwards."""
        numbers = heapq.nsmallest(count, (number for number in self._entries if number >= sequence))
        return [self._entries[number] for number in numbers]

    def take_lock_end(self, now_ms: int) -> Entry | None:
        """One message whose lock has ended."""
        token = self._lock_ends.take_due(now_ms)
        return None if token is None else self._locked[token]

    def take_activation(self, now_ms: int) -> Entry | None:
        """One scheduled message whose time has come."""
        sequence = self._activations.take_due(now_ms)
        return None if sequence is None else self._entries[sequence]

    def take_expiry(self, now_ms: int) -> Entry | None:
        """One ready message whose time to live is over."""
        sequence = self._expiries.take_due(now_ms)
        return None if sequence is None else self._entries[sequence]

    def next_due_ms(self) -> int | None:
        dues = (self._lock_ends.next_due_ms(), self._activations.next_due_ms(), self._expiries.next_due_ms())
        return min((due for due in dues if due is not None), default=None)

    @property
    def active_count(self) -> int:
        """Ready and locked messages: what Azure calls active."""
        return len(self._entries) - len(self._scheduled)

    @property
    def scheduled_count(self) -> int:
        return len(self._scheduled)

    @property
    def locked_count(self) -> int:
        return len(self._locked)


_STANDING = (
    "sequence",
    "status",
    "lock",
    "delivery_count",
    "dead_letter",
    "enqueued_ms",
    "scheduled_ms",
    "expires_ms",
)


_standing: Callable[[Entry], tuple[Any, ...]] = operator.attrgetter(*_STANDING)
