"""What a queue does with its messages: lock, settle, expire, schedule, put aside.

Time comes in as milliseconds, so the rules can be tested without waiting. Every change is noted in the
journal twice: as SQL and as the way back (see journal.py). A message is in exactly one status:

  SCHEDULED -due-> READY -taken-> LOCKED -completed-> gone
                     ^              |-----released-> READY
                     |              |-----abandoned, lock expired-> READY, or dead at the delivery limit
                     |              +-----dead-lettered-> READY among the dead letters
                     +-time to live over-> dead letter or gone
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from local_stack.broker import configuration, entries, errors, intake, ledger, sections, shelf, store
from local_stack.broker.entries import Entry, Status
from local_stack.broker.journal import CommitPoint

DEAD_LETTER_SUFFIX: Final = "/$deadletterqueue"
_DUE_AT_ONCE: Final = 500


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Messages of one queue. Locked ones are active too, as in Azure; scheduled ones are not."""

    active: int
    scheduled: int
    locked: int


class Queue:
    """A queue, or the dead letters of one: then `dead_letters` is None, and nothing expires any more."""

    def __init__(
        self,
        settings: configuration.Queue,
        shared: ledger.Ledger,
        *,
        dead_letters: Queue | None,
        size_limit_bytes: int,
    ) -> None:
        self.settings = settings
        self.dead_letters = dead_letters
        self.address = settings.name.lower() + (DEAD_LETTER_SUFFIX if dead_letters is None else "")
        self._ledger = shared
        self._shelf = shelf.Shelf(shared.journal, expires=dead_letters is not None)
        self._intake = intake.Intake(
            settings,
            shared,
            self._shelf,
            address=self.address,
            size_limit_bytes=size_limit_bytes,
            is_for_dead_letters=dead_letters is None,
        )

    def load(self, state: store.Store) -> None:
        """Take up what the file holds."""
        for row in state.messages(self.address):
            self._shelf.index(entries.from_row(row, bare=None))
        self._intake.load(state)

    # Sending.

    @property
    def size_bytes(self) -> int:
        return self._shelf.size_bytes

    def check_room(self, messages: Sequence[sections.Parsed]) -> None:
        """Raise QueueFullError when these are too many; dead letters that nobody fetches count too."""
        self._intake.check_room(messages, 0 if self.dead_letters is None else self.dead_letters.size_bytes)

    def send(self, message: sections.Parsed, now_ms: int, scheduled_ms: int | None = None) -> int:
        """Take a message, return its sequence number; a repeat within the duplicate window is dropped."""
        return self._intake.send(message, now_ms, scheduled_ms)

    def cancel(self, sequence: int) -> None:
        """Remove a scheduled message; raise MessageNotFoundError when there is none, or it is active."""
        entry = self._shelf.scheduled(sequence)
        if entry is None:
            raise errors.MessageNotFoundError(
                f"There is no scheduled message with sequence number {sequence}."
            )
        self._remove(entry)

    # Receiving and settling.

    def first_ready(self, now_ms: int) -> Entry | None:
        """The next message to take; what expired meanwhile is put aside on the way."""
        while (entry := self._shelf.first_ready()) is not None and self._has_expired(entry, now_ms):
            self._expire(entry)
        return entry

    def take(self, now_ms: int, *, delete: bool) -> entries.Delivery | None:
        """Lock the oldest ready message for a consumer, or remove it when the consumer wants no lock."""
        entry = self.first_ready(now_ms)
        if entry is None:
            return None
        bare = self._ledger.bare(entry)
        token = uuid4()
        if delete:
            self._remove(entry)
            return entries.Delivery(message=entries.received(entry, bare), token=token)
        self._shelf.begin_change(entry)
        entry.status = Status.LOCKED
        entry.lock = entries.Lock(token=token, until_ms=now_ms + self.settings.lock_ms)
        self._shelf.index(entry)
        self._ledger.journal.write(
            CommitPoint.MESSAGE_LOCKED, entry.sequence, token.bytes, entry.lock.until_ms
        )
        return entries.Delivery(message=entries.received(entry, bare), token=token)

    def complete(self, token: UUID, now_ms: int) -> None:
        """Remove a locked message. Like all of its kind it raises LockLostError when there is no lock."""
        self._remove(self._holder(token, now_ms))

    def abandon(self, token: UUID, now_ms: int) -> None:
        """Give a locked message back, one failed delivery richer."""
        self._count_failed_delivery(self._holder(token, now_ms), now_ms)

    def release(self, token: UUID, now_ms: int) -> None:
        """Give a locked message back as if it had not been delivered."""
        self._unlock(self._holder(token, now_ms), now_ms)

    def dead_letter(self, token: UUID, now_ms: int, *, reason: str, description: str) -> None:
        """Put a locked message aside."""
        entry = self._holder(token, now_ms)
        if self.dead_letters is None:
            raise errors.NotAllowedError("A dead letter cannot be dead-lettered again; complete it.")
        self._put_aside(entry, reason, description)

    def renew(self, token: UUID, now_ms: int) -> int:
        """Start the lock anew and return when it ends."""
        entry = self._holder(token, now_ms)
        until_ms = now_ms + self.settings.lock_ms
        self._shelf.begin_change(entry)
        entry.lock = entries.Lock(token=token, until_ms=until_ms)
        self._shelf.index(entry)
        self._ledger.journal.write(CommitPoint.LOCK_RENEWED, until_ms, entry.sequence)
        return until_ms

    def _holder(self, token: UUID, now_ms: int) -> Entry:
        entry = self._shelf.locked(token)
        if entry is None or entry.lock is None or entry.lock.until_ms <= now_ms:
            raise errors.LockLostError(
                "The lock on the message has expired, or the message was settled before."
            )
        return entry

    def _remove(self, entry: Entry) -> None:
        self._shelf.begin_change(entry)
        self._ledger.journal.write(CommitPoint.MESSAGE_REMOVED, entry.sequence)
        self._ledger.journal.then(lambda: self._ledger.release(entry), lambda _failure: None)

    def _count_failed_delivery(self, entry: Entry, now_ms: int) -> None:
        count = entry.delivery_count + 1
        if self.dead_letters is not None and count >= self.settings.max_delivery_count:
            self._put_aside(
                entry,
                "MaxDeliveryCountExceeded",
                f"Message could not be consumed after {count} delivery attempts.",
                delivery_count=count,
            )
            return
        self._unlock(entry, now_ms, delivery_count=count)
        self._ledger.journal.write(CommitPoint.DELIVERY_COUNTED, count, entry.sequence)

    def _unlock(self, entry: Entry, now_ms: int, delivery_count: int | None = None) -> None:
        self._shelf.begin_change(entry)
        entry.lock = None
        entry.status = Status.READY
        if delivery_count is not None:
            entry.delivery_count = delivery_count
        self._shelf.index(entry)
        self._ledger.journal.write(CommitPoint.LOCK_ENDED, entry.sequence)
        if self._has_expired(entry, now_ms):
            self._expire(entry)

    def _put_aside(
        self, entry: Entry, reason: str, description: str, delivery_count: int | None = None
    ) -> None:
        if self.dead_letters is None:
            raise errors.NotAllowedError("A dead letter cannot be dead-lettered again.")
        self._shelf.begin_change(entry)
        if entry.lock is not None:
            self._ledger.journal.write(CommitPoint.LOCK_ENDED, entry.sequence)
        entry.lock = None
        entry.status = Status.READY
        entry.delivery_count = entry.delivery_count if delivery_count is None else delivery_count
        entry.dead_letter = entries.DeadLetter(
            reason=reason, description=description, source=self.settings.name
        )
        self.dead_letters.adopt(entry)

    def adopt(self, entry: Entry) -> None:
        """Take over a message that another queue put aside."""
        why = entry.dead_letter
        if why is None:
            raise errors.BrokerError("A message was put aside without a reason.")
        self._shelf.index(entry)
        self._ledger.journal.on_failure(lambda: self._shelf.unindex(entry))
        self._ledger.journal.write(
            CommitPoint.MESSAGE_DEAD_LETTERED,
            self.address,
            entry.delivery_count,
            why.reason,
            why.description,
            why.source,
            entry.sequence,
        )

    # Time.

    def _has_expired(self, entry: Entry, now_ms: int) -> bool:
        return entry.expires_ms is not None and entry.expires_ms <= now_ms and self.dead_letters is not None

    def _expire(self, entry: Entry) -> None:
        if self.settings.dead_letter_on_expiration:
            self._put_aside(entry, "TTLExpiredException", "The message expired and was dead lettered.")
        else:
            self._remove(entry)

    def pass_time(self, now_ms: int) -> None:
        """Do what has fallen due, a few hundred messages at a time; `next_due_ms` tells of the rest."""
        for _ in range(_DUE_AT_ONCE):
            if not self._pass_one(now_ms):
                break
        self._intake.forget(now_ms)

    def _pass_one(self, now_ms: int) -> bool:
        if (locked := self._shelf.take_lock_end(now_ms)) is not None:
            self._count_failed_delivery(locked, now_ms)
        elif (scheduled := self._shelf.take_activation(now_ms)) is not None:
            self._activate(scheduled, now_ms)
        elif (expired := self._shelf.take_expiry(now_ms)) is not None:
            self._expire(expired)
        else:
            return False
        return True

    def _activate(self, entry: Entry, now_ms: int) -> None:
        # As in Azure, it is appended: with a new sequence number, its time to live starting now.
        self._ledger.load(entry)  # under its new number it is not in the file before the turn ends
        self._shelf.begin_change(entry)
        scheduled_as = entry.sequence
        entry.sequence = self._ledger.next_sequence()
        entry.status = Status.READY
        entry.scheduled_ms = None
        entry.enqueued_ms = now_ms
        entry.expires_ms = self._intake.expiry_ms(entry.content.ttl_ms, now_ms)
        self._shelf.index(entry)
        self._ledger.journal.write(
            CommitPoint.MESSAGE_ACTIVATED, entry.sequence, now_ms, entry.expires_ms, scheduled_as
        )

    @property
    def is_touched(self) -> bool:
        """Whether a message changed its place since `settle_down`."""
        return self._shelf.is_touched

    def settle_down(self) -> None:
        self._shelf.is_touched = False

    def next_due_ms(self) -> int | None:
        dues = (self._shelf.next_due_ms(), self._intake.next_due_ms())
        return min((due for due in dues if due is not None), default=None)

    # Looking.

    def peek(self, sequence: int, count: int, limit_bytes: int) -> list[bytes]:
        """Browse from a sequence number upwards without locking: about `limit_bytes`, at least one."""
        found: list[bytes] = []
        total_bytes = 0
        for entry in self._shelf.from_sequence(sequence, count):
            found.append(entries.browsed(entry, self._ledger.bare(entry)))
            total_bytes += len(found[-1])
            if total_bytes > limit_bytes:
                break
        return found

    def counts(self) -> Counts:
        return Counts(
            active=self._shelf.active_count,
            scheduled=self._shelf.scheduled_count,
            locked=self._shelf.locked_count,
        )
