"""Who gets the next message of a queue."""

from __future__ import annotations

from typing import Final, Protocol

from local_stack.broker import entries, queues

_DELIVERIES_AT_ONCE: Final = 256
# Only what has left tells whether a client keeps up: more than this is not handed out before.
_BYTES_AT_ONCE: Final = 1024 * 1024


class Consumer(Protocol):
    """A receiving client as its queue sees it."""

    @property
    def deletes(self) -> bool:
        """Whether taking a message removes it."""

    def can_take(self) -> bool:
        """Whether there is credit and room to send."""

    def deliver(self, delivery: entries.Delivery) -> None:
        """Use one credit and send the message once the turn is written."""

    def finish_drain(self) -> None:
        """Give up the credit that the queue could not use, if the client asked for that."""


class Dispatcher:
    """Hands a queue's messages round among those who wait, one each, oldest message first."""

    def __init__(self, queue: queues.Queue) -> None:
        self.queue = queue
        self._waiting: dict[Consumer, None] = {}
        self._draining: list[Consumer] = []
        self._has_news = True
        self.due_ms: int | None = None
        """When the queue next needs a turn by itself; None: not before something happens."""

    def wait(self, consumer: Consumer) -> None:
        self._waiting.setdefault(consumer)
        self._has_news = True

    def drain(self, consumer: Consumer) -> None:
        """Tell this consumer at the end of the turn that no more will come for its credit."""
        self._draining.append(consumer)

    def leave(self, consumer: Consumer) -> None:
        self._waiting.pop(consumer, None)

    def turn(self, now_ms: int) -> bool:
        """Let due times pass and hand messages out; True when there may be more to hand out."""
        is_due = self.due_ms is not None and self.due_ms <= now_ms
        if not (is_due or self._has_news or self.queue.is_touched):
            return False
        self.queue.pass_time(now_ms)
        self._has_news = self._hand_out(now_ms)
        self.due_ms = self.queue.next_due_ms()
        self.queue.settle_down()
        return self._has_news

    def _hand_out(self, now_ms: int) -> bool:
        handed_out_bytes = 0
        for _ in range(_DELIVERIES_AT_ONCE):
            consumer = self._next()
            if consumer is None:
                return False
            delivery = self.queue.take(now_ms, delete=consumer.deletes)
            if delivery is None:
                return False
            consumer.deliver(delivery)
            # To the end of the line.
            del self._waiting[consumer]
            self._waiting[consumer] = None
            handed_out_bytes += len(delivery.message)
            if handed_out_bytes > _BYTES_AT_ONCE:
                break
        return True

    def _next(self) -> Consumer | None:
        while self._waiting:
            consumer = next(iter(self._waiting))
            if consumer.can_take():
                return consumer
            del self._waiting[consumer]
        return None

    def finish_drains(self) -> None:
        draining, self._draining = self._draining, []
        for consumer in draining:
            consumer.finish_drain()
