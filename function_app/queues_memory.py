"""The step sender's twin in memory, for tests without a broker; it keeps the same promises."""

import threading

from contracts import identity, messages
from function_app import errors


class MemoryStepSender:
    """Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: dict[str, messages.StepRequest] = {}
        self.away = False
        """True makes every method raise QueueUnavailableError."""

    @property
    def sent(self) -> tuple[messages.StepRequest, ...]:
        """What lies in the queues, in the order in which it was sent; nobody receives."""
        with self._lock:
            return tuple(self._sent.values())

    def send(self, request: messages.StepRequest) -> None:
        self.ping()
        message_id = identity.message_id(
            job_id=request.job_id,
            run=request.run,
            step=request.step,
            chunk=request.chunk,
            attempt=request.attempt,
        )
        with self._lock:
            self._sent.setdefault(message_id, request)

    def ping(self) -> None:
        if self.away:
            raise errors.QueueUnavailableError

    def close(self) -> None:
        """There is nothing to close."""
