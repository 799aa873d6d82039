"""What all queues of a broker share: the journal, sequence numbers, and how many bodies stay in memory."""

from __future__ import annotations

from typing import Final

from local_stack.broker import entries, journal, store
from local_stack.broker.journal import CommitPoint

_RESERVED_AT_ONCE: Final = 10_000


class Ledger:
    def __init__(self, state: store.Store, notes: journal.Journal, *, body_memory_bytes: int) -> None:
        self.journal = notes
        self._store = state
        self._body_memory_bytes = body_memory_bytes
        self._bodies_in_memory_bytes = 0
        self._next_sequence = self._reserved_until = state.next_sequence()

    def next_sequence(self) -> int:
        """Return a number never given before. The file reserves blocks: a restart skips and never repeats."""
        if self._next_sequence >= self._reserved_until:
            before = self._reserved_until
            self._reserved_until = self._next_sequence + _RESERVED_AT_ONCE
            self.journal.write(CommitPoint.SEQUENCES_RESERVED, self._reserved_until)
            self.journal.on_failure(lambda: self._give_back(before))
        sequence = self._next_sequence
        self._next_sequence += 1
        return sequence

    def _give_back(self, reserved_until: int) -> None:
        self._reserved_until = reserved_until

    def bare(self, entry: entries.Entry) -> bytes:
        """The body of a message whose row is in the file under its present sequence number."""
        return self._store.bare(entry.sequence) if entry.bare is None else entry.bare

    def hold(self, entry: entries.Entry) -> None:
        """Count a body that came to memory; above the limit it leaves memory as soon as the file has it."""
        self._bodies_in_memory_bytes += entry.content.bare_bytes
        if self._bodies_in_memory_bytes > self._body_memory_bytes:
            self.journal.then(lambda: self.release(entry), lambda _failure: None)

    def load(self, entry: entries.Entry) -> None:
        """Bring a body back to memory."""
        if entry.bare is None:
            entry.bare = self._store.bare(entry.sequence)
            self.hold(entry)

    def release(self, entry: entries.Entry) -> None:
        """Let a body go from memory; the file keeps it as long as the message lives."""
        if entry.bare is not None:
            self._bodies_in_memory_bytes -= entry.content.bare_bytes
            entry.bare = None
