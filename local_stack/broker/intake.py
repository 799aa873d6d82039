"""How messages come into a queue: is there room, was it sent before, when does it expire."""

from __future__ import annotations

from collections.abc import Sequence

from local_stack.broker import configuration, duplicates, entries, errors, ledger, sections, shelf, store
from local_stack.broker.entries import Entry, Status
from local_stack.broker.journal import CommitPoint


class Intake:
    """Of one queue, whose shelf it fills. Dead letters come another way and have no history."""

    def __init__(
        self,
        settings: configuration.Queue,
        shared: ledger.Ledger,
        onto: shelf.Shelf,
        *,
        address: str,
        size_limit_bytes: int,
        is_for_dead_letters: bool,
    ) -> None:
        self._settings = settings
        self._ledger = shared
        self._shelf = onto
        self._address = address
        self._size_limit_bytes = size_limit_bytes
        window_ms = None if is_for_dead_letters else settings.duplicate_detection_ms
        self._history = (
            None
            if window_ms is None
            else duplicates.History(queue=address, window_ms=window_ms, notes=shared.journal)
        )

    def load(self, state: store.Store) -> None:
        """Remember the message ids that the file remembers."""
        if self._history is not None:
            self._history.load(state.seen(self._address))

    def check_room(self, messages: Sequence[sections.Parsed], beside_bytes: int) -> None:
        """Raise QueueFullError when these are too many beside what is there and `beside_bytes`."""
        held_bytes = self._shelf.size_bytes + beside_bytes
        new_bytes = sum(entries.OVERHEAD_BYTES + len(message.bare) for message in messages)
        if held_bytes + new_bytes > self._size_limit_bytes:
            raise errors.QueueFullError(
                f"Queue {self._settings.name} and its dead letters hold {held_bytes} bytes;"
                f" {self._size_limit_bytes} are the most."
            )

    def send(self, message: sections.Parsed, now_ms: int, scheduled_ms: int | None) -> int:
        """Take a message, return its sequence number; a repeat within the duplicate window is dropped."""
        sequence = self._ledger.next_sequence()
        if self._is_duplicate(message, now_ms):
            return sequence
        is_scheduled = scheduled_ms is not None and scheduled_ms > now_ms
        entry = Entry(
            sequence=sequence,
            content=entries.content_of(message),
            bare=message.bare,
            enqueued_ms=now_ms,
            scheduled_ms=scheduled_ms if is_scheduled else None,
            expires_ms=None if is_scheduled else self.expiry_ms(message.ttl_ms, now_ms),
            status=Status.SCHEDULED if is_scheduled else Status.READY,
        )
        self._ledger.journal.write(CommitPoint.MESSAGE_STORED, *entries.row_of(entry, self._address))
        self._ledger.journal.on_failure(lambda: self._drop(entry))
        self._ledger.hold(entry)
        self._shelf.index(entry)
        return sequence

    def _is_duplicate(self, message: sections.Parsed, now_ms: int) -> bool:
        message_id = entries.identity(message.message_id)
        if self._history is None or message_id is None:
            return False
        if self._history.is_repeat(message_id, now_ms):
            return True
        self._history.remember(message_id, now_ms)
        return False

    def expiry_ms(self, ttl_ms: int | None, now_ms: int) -> int | None:
        """When a message that becomes active now expires."""
        limits = [limit for limit in (ttl_ms, self._settings.time_to_live_ms) if limit is not None]
        return now_ms + min(limits) if limits else None

    def _drop(self, entry: Entry) -> None:
        self._shelf.unindex(entry)
        self._ledger.release(entry)

    def forget(self, now_ms: int) -> None:
        """Forget message ids whose window has passed."""
        if self._history is not None:
            self._history.purge(now_ms)

    def next_due_ms(self) -> int | None:
        """When there is something to forget."""
        return None if self._history is None else self._history.next_due_ms()
