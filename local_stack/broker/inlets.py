"""Links on which the client sends: to a queue, to $cbs, to $management."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from local_stack.broker import dispatch, errors, management, performatives, requests, sections, states

if TYPE_CHECKING:
    from local_stack.broker import sessions

_CREDIT: Final = 1000
# What is collected beyond the limit before a delivery is given up: the exact check comes at its end.
_ENVELOPE_SLACK_BYTES: Final = 1024


class Delivered(NamedTuple):
    """One whole delivery; `payload` is None when it was too large to be kept."""

    delivery_id: int
    message_format: int
    is_settled: bool
    payload: bytes | None


class Receiver(Protocol):
    def receive(self, delivery: Delivered) -> None:
        """Handle one delivery and see to its outcome."""


class Inlet:
    """Joins transfers to deliveries and grants credit, which clients may exceed: they do not count well."""

    def __init__(self, session: sessions.Session, attach: performatives.Attach, receiver: Receiver) -> None:
        self.handle = attach.handle
        self._session = session
        self._receiver = receiver
        self._delivery_count = attach.initial_delivery_count or 0
        self._credit = 0
        self._first: performatives.Transfer | None = None
        self._parts: list[bytes] = []
        self._bytes = 0
        self._is_too_large = False

    def attached(self) -> None:
        self._grant()

    def _grant(self) -> None:
        self._credit = _CREDIT
        self._session.send_flow(handle=self.handle, delivery_count=self._delivery_count, link_credit=_CREDIT)

    def flow(self, flow: performatives.Flow) -> None:
        if flow.echo:
            self._grant()

    def transfer(self, transfer: performatives.Transfer, payload: bytes) -> None:
        if transfer.aborted:
            self._reset()
            return
        if self._first is None:
            if transfer.delivery_id is None:
                raise errors.IllegalFrameError("The first transfer of a delivery has no delivery-id.")
            self._first = transfer
        self._collect(payload)
        if not transfer.more:
            self._finish(self._first, is_settled=bool(self._first.settled or transfer.settled))

    def _collect(self, payload: bytes) -> None:
        self._bytes += len(payload)
        if self._bytes > self._session.limits.max_message_bytes + _ENVELOPE_SLACK_BYTES:
            self._is_too_large = True
            self._release_parts()
        if not self._is_too_large:
            self._session.hold_partial(len(payload))
            self._parts.append(payload)

    def _finish(self, first: performatives.Transfer, *, is_settled: bool) -> None:
        payload = None if self._is_too_large else b"".join(self._parts)
        self._reset()
        self._count()
        self._receiver.receive(
            Delivered(
                delivery_id=first.delivery_id or 0,
                message_format=first.message_format or 0,
                is_settled=is_settled,
                payload=payload,
            )
        )

    def _reset(self) -> None:
        self._release_parts()
        self._first, self._bytes, self._is_too_large = None, 0, False

    def _release_parts(self) -> None:
        self._session.hold_partial(-sum(len(part) for part in self._parts))
        self._parts = []

    def _count(self) -> None:
        self._delivery_count = (self._delivery_count + 1) & 0xFFFFFFFF
        self._credit -= 1
        if self._credit <= _CREDIT // 2:
            self._grant()

    def detached(self) -> None:
        self._reset()


class QueueReceiver:
    """Puts what arrives into a queue and acknowledges it once it is written."""

    def __init__(self, session: sessions.Session, dispatcher: dispatch.Dispatcher) -> None:
        self._session = session
        self._queue = dispatcher.queue

    def receive(self, delivery: Delivered) -> None:
        try:
            self._store(delivery)
        except errors.DeliveryRefusedError as refusal:
            self._acknowledge(delivery, states.rejected(refusal))
            return
        self._session.namespace.journal.then(
            lambda: self._acknowledge(delivery, states.outcome(states.ACCEPTED)),
            lambda failure: self._acknowledge(delivery, states.rejected(errors.ServerError(str(failure)))),
        )

    def _store(self, delivery: Delivered) -> None:
        limit_bytes = self._session.limits.max_message_bytes
        if delivery.payload is None or len(delivery.payload) > limit_bytes:
            raise errors.MessageTooLargeError(f"The message or batch is larger than {limit_bytes} bytes.")
        now_ms = self._session.namespace.now_ms()
        is_batch = delivery.message_format == sections.BATCH_FORMAT
        encoded = sections.batched(delivery.payload) if is_batch else [delivery.payload]
        messages = [management.checked(message, limit_bytes) for message in encoded]
        self._queue.check_room(messages)
        for message in messages:
            self._queue.send(message, now_ms, management.scheduled_ms(message))

    def _acknowledge(self, delivery: Delivered, state: Any) -> None:
        if not delivery.is_settled:
            self._session.send_disposition(is_receiver=True, delivery_id=delivery.delivery_id, state=state)


class RequestReceiver:
    """Answers requests on the link of the same session that receives from the same node."""

    def __init__(self, session: sessions.Session, address: str, endpoint: requests.Endpoint) -> None:
        self._session = session
        self._address = address
        self._endpoint = endpoint

    def receive(self, delivery: Delivered) -> None:
        try:
            request = self._parse(delivery)
        except errors.DeliveryRefusedError as refusal:
            self._acknowledge(delivery, states.rejected(refusal))
            return
        reply = self._endpoint.answer(request)
        self._acknowledge(delivery, states.outcome(states.ACCEPTED))
        self._session.namespace.journal.then(
            lambda: self._respond(request, reply),
            lambda _failure: self._respond(request, self._endpoint.failed()),
        )

    def _parse(self, delivery: Delivered) -> sections.Parsed:
        if delivery.payload is None:
            raise errors.MessageTooLargeError("The request is too large.")
        return sections.parse(delivery.payload)

    def _acknowledge(self, delivery: Delivered, state: Any) -> None:
        if not delivery.is_settled:
            self._session.send_disposition(is_receiver=True, delivery_id=delivery.delivery_id, state=state)

    def _respond(self, request: sections.Parsed, reply: requests.Reply) -> None:
        self._session.respond(self._address, request.reply_to, reply.encoded(request.message_id))
