"""One AMQP session: its links, its delivery numbers, and who waits for which settlement."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from local_stack.broker import (
    attaching,
    errors,
    frames,
    inlets,
    outlets,
    performatives,
    settings,
    states,
    values,
)

if TYPE_CHECKING:
    from local_stack.broker import connection, namespace

# Windows are told but not enforced: the clients count them in deliveries where AMQP counts frames.
WINDOW: Final = 65_535
_MAX_UNSETTLED: Final = 100_000

Owner = tuple[outlets.QueueOutlet, UUID]


class Session:
    """Frames of one channel. The same number is used in both directions, for channels and for handles."""

    def __init__(self, link: connection.Connection, channel: int, begin: performatives.Begin) -> None:
        if None in (begin.next_outgoing_id, begin.incoming_window, begin.outgoing_window):
            raise errors.DecodeError("begin lacks a mandatory field.")
        self.channel = channel
        self._connection = link
        self._next_incoming_id = begin.next_outgoing_id
        self._next_outgoing_id = 0
        self._next_delivery_id = 0
        self._links: dict[int, attaching.Link] = {}
        self._refused: set[int] = set()
        self._response_outlets: dict[str, list[outlets.ResponseOutlet]] = {}
        self._unsettled: dict[int, Owner] = {}

    @property
    def namespace(self) -> namespace.Namespace:
        return self._connection.namespace

    @property
    def limits(self) -> settings.Settings:
        return self._connection.settings

    @property
    def is_congested(self) -> bool:
        return self._connection.is_congested

    @property
    def link_count(self) -> int:
        return len(self._links)

    def hold_partial(self, count: int) -> None:
        """Count bytes of deliveries that are not complete yet."""
        self._connection.hold_partial(count)

    def handle(self, performative: Any, payload: bytes) -> None:
        """Act on one frame of the session."""
        _HANDLERS[type(performative)](self, performative, payload)

    # What comes in.

    def begun(self) -> None:
        """Say that there is a session now."""
        self._send(
            performatives.Begin(
                remote_channel=self.channel,
                next_outgoing_id=0,
                incoming_window=WINDOW,
                outgoing_window=WINDOW,
                handle_max=self.limits.max_links_per_connection - 1,
            )
        )

    def attach(self, attach: performatives.Attach, _payload: bytes) -> None:
        if attach.handle in self._links:
            raise errors.IllegalFrameError(f"Handle {attach.handle} is attached already.")
        try:
            self._connection.check_links()
            link = attaching.make_link(self, attach)
        except errors.LinkRefusedError as refusal:
            self._refuse(attach, refusal)
            return
        self._refused.discard(attach.handle)
        self._links[attach.handle] = link
        self._send(self._attach_reply(attach, attach.source, attach.target))
        link.attached()

    def _refuse(self, attach: performatives.Attach, refusal: errors.LinkRefusedError) -> None:
        # Without source and target the client knows that a detach follows.
        self._refused.add(attach.handle)
        self._send(self._attach_reply(attach, None, None))
        self._send(performatives.Detach(handle=attach.handle, closed=True, error=states.error(refusal)))

    def _attach_reply(
        self, attach: performatives.Attach, source: values.Described | None, target: values.Described | None
    ) -> performatives.Attach:
        limit = self.limits.max_message_bytes
        return performatives.Attach(
            name=attach.name,
            handle=attach.handle,
            role=not attach.role,
            snd_settle_mode=attach.snd_settle_mode,
            rcv_settle_mode=attach.rcv_settle_mode,
            source=source,
            target=target,
            initial_delivery_count=0 if attach.role else None,
            max_message_size=limit,
            properties={values.Symbol("com.microsoft:max-message-batch-size"): values.UInt(limit)},
        )

    def flow(self, flow: performatives.Flow, _payload: bytes) -> None:
        if flow.handle is None:
            if flow.echo:
                self.send_flow()
            return
        link = self._links.get(flow.handle)
        if link is not None:
            link.flow(flow)
        elif flow.handle not in self._refused:
            raise errors.IllegalFrameError(f"A flow names handle {flow.handle}, which is not attached.")

    def transfer(self, transfer: performatives.Transfer, payload: bytes) -> None:
        self._next_incoming_id = (self._next_incoming_id + 1) & 0xFFFFFFFF
        link = self._links.get(transfer.handle)
        if isinstance(link, inlets.Inlet):
            link.transfer(transfer, payload)
        elif transfer.handle not in self._refused:
            raise errors.IllegalFrameError(
                f"A transfer names handle {transfer.handle}, on which nothing can be sent."
            )

    def disposition(self, disposition: performatives.Disposition, _payload: bytes) -> None:
        # As the sender of deliveries the client has nothing to say that the broker has not settled already.
        if not disposition.role or disposition.state is None:
            return
        last = disposition.first if disposition.last is None else disposition.last
        if disposition.state.descriptor == states.RECEIVED:
            return
        for delivery_id in self._pending(disposition.first, last):
            outlet, token = self._unsettled.pop(delivery_id)
            outlet.settle(delivery_id, token, disposition.state, is_settled=bool(disposition.settled))

    def _pending(self, first: int, last: int) -> list[int]:
        if first == last:
            return [first] if first in self._unsettled else []
        # A range may name billions: what is unsettled is few.
        return sorted(number for number in self._unsettled if first <= number <= last)

    def detach(self, detach: performatives.Detach, _payload: bytes) -> None:
        link = self._links.pop(detach.handle, None)
        if link is None:
            self._refused.discard(detach.handle)
            return
        self._forget(link)
        self._send(performatives.Detach(handle=detach.handle, closed=detach.closed))

    def _forget(self, link: attaching.Link) -> None:
        link.detached()
        if isinstance(link, outlets.ResponseOutlet):
            for waiting in self._response_outlets.values():
                if link in waiting:
                    waiting.remove(link)
        if isinstance(link, outlets.QueueOutlet):
            self._unsettled = {key: owner for key, owner in self._unsettled.items() if owner[0] is not link}

    def ended(self) -> None:
        """The session or its connection is over."""
        for link in self._links.values():
            link.detached()
        self._links.clear()
        self._unsettled.clear()
        self._response_outlets.clear()

    def wake(self) -> None:
        """There is room to send again."""
        for link in self._links.values():
            if isinstance(link, outlets.QueueOutlet):
                link.wake()

    # What goes out.

    def add_response_outlet(self, address: str, outlet: outlets.ResponseOutlet) -> None:
        self._response_outlets.setdefault(address.lower(), []).append(outlet)

    def respond(self, address: str, reply_to: Any, message: bytes) -> None:
        """Send an answer on the link that the request names, or else on the latest from the same node."""
        waiting = self._response_outlets.get(address.lower(), [])
        named = [outlet for outlet in waiting if reply_to is not None and outlet.target == reply_to]
        for outlet in (named or waiting)[-1:]:
            outlet.send(message)

    def _send_frames(self, first: performatives.Transfer, message: bytes) -> None:
        """Send one delivery in as many frames as the client's frame size makes necessary."""
        last = performatives.encode(first)
        room = self._connection.peer_max_frame_bytes - frames.HEADER_BYTES - len(last)
        if len(message) > room:
            more = performatives.encode(first._replace(more=True))
            while len(message) > room:
                self._connection.send_encoded(self.channel, more, message[:room])
                self._next_outgoing_id = (self._next_outgoing_id + 1) & 0xFFFFFFFF
                message = message[room:]
        self._connection.send_encoded(self.channel, last, message)
        self._next_outgoing_id = (self._next_outgoing_id + 1) & 0xFFFFFFFF

    def send_message(
        self, *, handle: int, tag: bytes, message: bytes, is_settled: bool, owner: Owner | None = None
    ) -> None:
        delivery_id = self._next_delivery_id
        self._next_delivery_id = (delivery_id + 1) & 0xFFFFFFFF
        if owner is not None:
            self._remember(delivery_id, owner)
        self._send_frames(
            performatives.Transfer(
                handle=handle,
                delivery_id=delivery_id,
                delivery_tag=tag,
                message_format=0,
                settled=is_settled,
                more=False,
            ),
            message,
        )

    def _remember(self, delivery_id: int, owner: Owner) -> None:
        self._unsettled[delivery_id] = owner
        if len(self._unsettled) > _MAX_UNSETTLED:
            # A client that never settles: the oldest locks have long ended.
            del self._unsettled[next(iter(self._unsettled))]

    def send_disposition(self, *, is_receiver: bool, delivery_id: int, state: values.Described) -> None:
        self._send(
            performatives.Disposition(
                role=is_receiver, first=delivery_id, last=delivery_id, settled=True, state=state
            )
        )

    def send_flow(
        self,
        *,
        handle: int | None = None,
        delivery_count: int | None = None,
        link_credit: int | None = None,
        drain: bool | None = None,
    ) -> None:
        self._send(
            performatives.Flow(
                next_incoming_id=self._next_incoming_id,
                incoming_window=WINDOW,
                next_outgoing_id=self._next_outgoing_id,
                outgoing_window=WINDOW,
                handle=handle,
                delivery_count=delivery_count,
                link_credit=link_credit,
                drain=drain,
            )
        )

    def _send(self, performative: performatives.Performative) -> None:
        self._connection.send(self.channel, performative)


_HANDLERS: Final[dict[type, Callable[[Session, Any, bytes], None]]] = {
    performatives.Attach: Session.attach,
    performatives.Flow: Session.flow,
    performatives.Transfer: Session.transfer,
    performatives.Disposition: Session.disposition,
    performatives.Detach: Session.detach,
}
