"""Queues as a worker uses them: it receives requests and sends events."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from contracts import events


@dataclass(frozen=True, kw_only=True)
class ReceivedMessage:
    """A message under this worker's lock."""

    body: bytes
    message_id: str
    delivery_count: int
    """0 at the first delivery; abandoned, expired and crashed deliveries count."""
    enqueued_at: datetime
    locked_until: datetime
    receipt: Any
    """The implementation's own; opaque to everybody else."""
    expires_at: datetime | None = None
    """The end of its life by the broker's clock; None when the broker does not say."""


class WorkQueue(Protocol):
    """Peek-lock receiving. Used from one event loop; different messages may be settled side by side.

    Every method raises QueueUnavailableError when the broker does not answer.
    """

    async def receive(self, *, max_wait_seconds: float) -> ReceivedMessage | None:
        """One message, or None after the wait. Never called twice at once.

        Asks for credit of one: no message is locked that nobody looks at.
        """

    async def renew(self, message: ReceivedMessage) -> datetime:
        """Until when the lock holds now. Raises LockLostError."""

    async def complete(self, message: ReceivedMessage) -> None:
        """The message is done with. Raises LockLostError."""

    async def abandon(self, message: ReceivedMessage) -> None:
        """Back to the queue, with its delivery count one higher. Raises LockLostError."""

    async def dead_letter(self, message: ReceivedMessage, *, reason: str, description: str) -> None:
        """To the dead letters, with a word for machines and a sentence for people. Raises LockLostError."""

    async def release(self, message: ReceivedMessage) -> None:
        """Forgets a message that will not be settled: its lock runs out by itself. Never raises."""

    async def withdraw_credit(self) -> None:
        """Takes back what a `receive` that found nothing has asked for: no message arrives unlooked for.

        Call it before a pause in receiving. Never raises.
        """

    async def ping(self) -> None:
        """Raises QueueUnavailableError when the queue cannot be reached."""

    async def close(self) -> None:
        """Closes the connections; what was not settled comes back when its lock runs out."""


class EventSender(Protocol):
    """Sends what came of a request."""

    async def send(self, event: events.StepFinished) -> None:
        """To `job-events`, under `event_message_id`. Returns when the broker has it.

        Raises QueueUnavailableError.
        """

    async def close(self) -> None:
        """Closes the connection."""
