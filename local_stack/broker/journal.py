"""One turn of the broker: what is to be written, how to take it back, and whom to tell.

Queues change in memory at once and note each change here. At the end of the turn all notes become one
SQLite transaction; only then do acknowledgements and deliveries leave. If the transaction fails, memory is
taken back in reverse order and everyone is told so: memory, file and clients never disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

from local_stack.broker import errors


class CommitPoint(StrEnum):
    """Every kind of change that a turn writes."""

    MESSAGE_STORED = "message_stored"
    """Sent, or scheduled for later."""
    MESSAGE_REMOVED = "message_removed"
    """Completed, received and deleted, cancelled, or expired."""
    MESSAGE_LOCKED = "message_locked"
    LOCK_RENEWED = "lock_renewed"
    LOCK_ENDED = "lock_ended"
    """Released, abandoned, dead-lettered, or run out."""
    LOCKS_PURGED = "locks_purged"
    """Those that removed messages left behind."""
    DELIVERY_COUNTED = "delivery_counted"
    MESSAGE_ACTIVATED = "message_activated"
    """Its scheduled time came."""
    MESSAGE_DEAD_LETTERED = "message_dead_lettered"
    ID_REMEMBERED = "id_remembered"
    """For duplicate detection."""
    ID_FORGOTTEN = "id_forgotten"
    SEQUENCES_RESERVED = "sequences_reserved"


class Statement(NamedTuple):
    point: CommitPoint
    parameters: tuple[Any, ...]


class Outcome(NamedTuple):
    committed: Callable[[], None]
    failed: Callable[[errors.StoreError], None]


class Journal:
    def __init__(self, on_first_note: Callable[[], None]) -> None:
        self._on_first_note = on_first_note
        self._reset()

    def _reset(self) -> None:
        self._is_empty = True
        self.statements: list[Statement] = []
        self._undo: list[Callable[[], None]] = []
        self.outcomes: list[Outcome] = []

    def write(self, point: CommitPoint, *parameters: Any) -> None:
        """Note a change; the store knows its SQL and what the parameters mean."""
        self._note()
        self.statements.append(Statement(point, parameters))

    def on_failure(self, undo: Callable[[], None]) -> None:
        """Remember how to take one change in memory back."""
        self._note()
        self._undo.append(undo)

    def then(self, committed: Callable[[], None], failed: Callable[[errors.StoreError], None]) -> None:
        """Call exactly one of the two after the turn, in the order of the calls to `then`."""
        self._note()
        self.outcomes.append(Outcome(committed, failed))

    def _note(self) -> None:
        if self._is_empty:
            self._is_empty = False
            self._on_first_note()

    def close(self) -> list[Outcome]:
        """Forget the turn after its commit and return whom to tell."""
        outcomes = self.outcomes
        self._reset()
        return outcomes

    def take_back(self) -> list[Outcome]:
        """Undo the turn in memory and return whom to tell."""
        for undo in reversed(self._undo):
            undo()
        return self.close()
