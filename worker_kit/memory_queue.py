"""A queue in memory: the twin with which the loop is tested, redelivery and lost locks included."""

import asyncio
import collections
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from contracts import events
from worker_kit import errors
from worker_kit.queues import ReceivedMessage


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A message that nobody will work on."""

    message_id: str
    reason: str
    description: str


@dataclass(kw_only=True)
class _Stored:
    message_id: str
    body: bytes
    delivery_count: int = 0
    enqueued_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(kw_only=True)
class _Locked:
    stored: _Stored
    until: datetime


class MemoryQueue:
    """A WorkQueue of one process. `available = False` makes every method raise QueueUnavailableError."""

    def __init__(self, *, lock_seconds: float = 60.0, longest_deliveries: int = 10) -> None:
        self.available = True
        self.completed: list[str] = []
        self.abandoned: list[str] = []
        self.dead_letters: list[DeadLetter] = []
        self.renewals = 0
        self.refused_renewals = 0
        self._lock_seconds = lock_seconds
        self._longest_deliveries = longest_deliveries
        self._waiting: collections.deque[_Stored] = collections.deque()
        self._locked: dict[int, _Locked] = {}
        self._receipts = itertools.count(1)
        self._arrived = asyncio.Event()

    @property
    def locked_count(self) -> int:
        """Messages that somebody holds."""
        return len(self._locked)

    def put(self, body: bytes, *, message_id: str = "message", delivery_count: int = 0) -> None:
        """A message arrives."""
        self._waiting.append(_Stored(message_id=message_id, body=body, delivery_count=delivery_count))
        self._arrived.set()

    def expire_locks(self) -> None:
        """Every lock runs out now: the messages come back."""
        for receipt in tuple(self._locked):
            self._redeliver(receipt)

    async def receive(self, *, max_wait_seconds: float) -> ReceivedMessage | None:
        self._raise_if_unavailable()
        if not self._waiting:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), max_wait_seconds)
            except TimeoutError:
                return None
        stored = self._waiting.popleft()
        receipt = next(self._receipts)
        until = self._new_expiry()
        self._locked[receipt] = _Locked(stored=stored, until=until)
        return ReceivedMessage(
            body=stored.body,
            message_id=stored.message_id,
            delivery_count=stored.delivery_count,
            enqueued_at=stored.enqueued_at,
            locked_until=until,
            receipt=receipt,
        )

    async def renew(self, message: ReceivedMessage) -> datetime:
        try:
            locked = self._lock_of(message)
        except errors.LockLostError:
            self.refused_renewals += 1
            raise
        self.renewals += 1
        locked.until = self._new_expiry()
        return locked.until

    async def complete(self, message: ReceivedMessage) -> None:
        self._lock_of(message)
        del self._locked[message.receipt]
        self.completed.append(message.message_id)

    async def abandon(self, message: ReceivedMessage) -> None:
        self._lock_of(message)
        self.abandoned.append(message.message_id)
        self._redeliver(message.receipt)

    async def dead_letter(self, message: ReceivedMessage, *, reason: str, description: str) -> None:
        self._lock_of(message)
        del self._locked[message.receipt]
        self.dead_letters.append(
            DeadLetter(message_id=message.message_id, reason=reason, description=description)
        )

    async def release(self, message: ReceivedMessage) -> None:
        """Nothing is kept for a message but its lock."""

    async def withdraw_credit(self) -> None:
        """There is no credit here."""

    async def ping(self) -> None:
        self._raise_if_unavailable()

    async def close(self) -> None:
        self.expire_locks()

    def _lock_of(self, message: ReceivedMessage) -> _Locked:
        self._raise_if_unavailable()
        locked = self._locked.get(message.receipt)
        if locked is None:
            raise errors.LockLostError
        if locked.until <= datetime.now(UTC):
            self._redeliver(message.receipt)
            raise errors.LockLostError
        return locked

    def _redeliver(self, receipt: int) -> None:
        stored = self._locked.pop(receipt).stored
        stored.delivery_count += 1
        if stored.delivery_count >= self._longest_deliveries:
            self.dead_letters.append(
                DeadLetter(
                    message_id=stored.message_id,
                    reason="MaxDeliveryCountExceeded",
                    description="Delivered too often.",
                )
            )
            return
        self._waiting.append(stored)
        self._arrived.set()

    def _new_expiry(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._lock_seconds)

    def _raise_if_unavailable(self) -> None:
        if not self.available:
            raise errors.QueueUnavailableError


class MemoryEvents:
    """An EventSender that keeps what was sent. `available = False` makes it raise QueueUnavailableError."""

    def __init__(self) -> None:
        self.available = True
        self.sent: list[events.StepFinished] = []

    async def send(self, event: events.StepFinished) -> None:
        if not self.available:
            raise errors.QueueUnavailableError
        self.sent.append(event)

    async def close(self) -> None:
        """Nothing is open."""
