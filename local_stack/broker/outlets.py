"""Links on which the client receives: from a queue, or answers to its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from local_stack.broker import dispatch, entries, errors, performatives, settlement, states, values

if TYPE_CHECKING:
    from local_stack.broker import sessions


class ResponseOutlet:
    """Carries answers. Its credit does not matter: each answer was asked for."""

    def __init__(self, session: sessions.Session, attach: performatives.Attach, target: str | None) -> None:
        self.handle = attach.handle
        self.target = target
        self._session = session

    def attached(self) -> None:
        """Answers come when asked for."""

    def send(self, message: bytes) -> None:
        self._session.send_message(handle=self.handle, tag=b"\x00", message=message, is_settled=True)

    def flow(self, flow: performatives.Flow) -> None:
        if flow.echo:
            self._session.send_flow()

    def detached(self) -> None:
        """Answers that come later are dropped by the session."""


class QueueOutlet:
    """A consumer: gets the messages it has given credit for, locked unless it wants them deleted."""

    def __init__(
        self, session: sessions.Session, attach: performatives.Attach, dispatcher: dispatch.Dispatcher
    ) -> None:
        self.handle = attach.handle
        # Service Bus tells receive-and-delete from peek-lock by the sender's settle mode "settled".
        self.deletes = attach.snd_settle_mode == 1
        self._session = session
        self._dispatcher = dispatcher
        self._credit = 0
        self._delivery_count = 0
        self._is_draining = False
        self._is_attached = True

    def attached(self) -> None:
        """Nothing flows before the client gives credit."""

    def flow(self, flow: performatives.Flow) -> None:
        if flow.link_credit is not None:
            # Credit is absolute: it counts from what the client has seen, without deliveries under way.
            limit = (flow.delivery_count or 0) + flow.link_credit
            available = (limit - self._delivery_count) & 0xFFFFFFFF
            self._credit = available if available < 0x80000000 else 0
        self._is_draining = bool(flow.drain)
        if self._is_draining or flow.echo:
            self._dispatcher.drain(self)
        self.wake()

    def wake(self) -> None:
        """Stand in line again: there is credit, or room to send."""
        if self._credit > 0:
            self._dispatcher.wait(self)
        self._session.namespace.request_turn()

    def can_take(self) -> bool:
        return self._is_attached and self._credit > 0 and not self._session.is_congested

    def deliver(self, delivery: entries.Delivery) -> None:
        self._move_credit(1)
        journal = self._session.namespace.journal
        journal.on_failure(lambda: self._move_credit(-1))
        journal.then(lambda: self._send(delivery), lambda _failure: self.wake())

    def _move_credit(self, count: int) -> None:
        self._credit -= count
        self._delivery_count = (self._delivery_count + count) & 0xFFFFFFFF

    def _send(self, delivery: entries.Delivery) -> None:
        if self._is_attached:
            # The client reads the tag as the lock token, little-endian.
            self._session.send_message(
                handle=self.handle,
                tag=delivery.token.bytes_le,
                message=delivery.message,
                is_settled=self.deletes,
                owner=None if self.deletes else (self, delivery.token),
            )
        elif not self.deletes:
            self._dispatcher.queue.release(delivery.token, self._session.namespace.now_ms())

    def finish_drain(self) -> None:
        """Use up the credit that found no message, and say so."""
        if self._is_draining:
            self._delivery_count = (self._delivery_count + self._credit) & 0xFFFFFFFF
            self._credit = 0
        is_draining, self._is_draining = self._is_draining, False
        delivery_count, credit = self._delivery_count, self._credit

        def answer() -> None:
            if self._is_attached:
                self._session.send_flow(
                    handle=self.handle,
                    delivery_count=delivery_count,
                    link_credit=credit,
                    drain=is_draining or None,
                )

        # After the deliveries of this turn, and also when they could not be written.
        self._session.namespace.journal.then(answer, lambda _failure: answer())

    def settle(self, delivery_id: int, token: UUID, state: values.Described, *, is_settled: bool) -> None:
        """Apply the client's outcome and confirm it with the same outcome once it is written."""
        try:
            settlement.settle(self._dispatcher.queue, token, self._session.namespace.now_ms(), state)
        except errors.DeliveryRefusedError as refusal:
            self._confirm(delivery_id, states.rejected(refusal), is_settled=is_settled)
            return
        self._session.namespace.journal.then(
            lambda: self._confirm(delivery_id, states.outcome(state.descriptor), is_settled=is_settled),
            lambda failure: self._confirm(
                delivery_id, states.rejected(errors.ServerError(str(failure))), is_settled=is_settled
            ),
        )

    def _confirm(self, delivery_id: int, state: values.Described, *, is_settled: bool) -> None:
        if not is_settled:
            self._session.send_disposition(is_receiver=False, delivery_id=delivery_id, state=state)

    def detached(self) -> None:
        """Locks stay until they end: the client may settle by $management."""
        self._is_attached = False
        self._dispatcher.leave(self)
