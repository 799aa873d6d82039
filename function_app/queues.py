"""Service Bus as the function app uses it: it sends step requests."""

from typing import Protocol

from contracts import messages


class StepSender(Protocol):
    """Blocking and safe to share between threads."""

    def send(self, request: messages.StepRequest) -> None:
        """To the step's queue, under its deterministic message id, with a time to live up to `expires_at`.

        Sending the same request twice leaves one message (duplicate detection). Raises QueueUnavailableError.
        """

    def ping(self) -> None:
        """One short try to reach the queues. Raises QueueUnavailableError."""
