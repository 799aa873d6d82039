"""From an attach frame to a link, or to a refusal that says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from local_stack.broker import (
    addresses,
    cbs,
    errors,
    inlets,
    management,
    outlets,
    performatives,
    requests,
    states,
    values,
)

if TYPE_CHECKING:
    from local_stack.broker import sessions

_ADDRESS: Final = 0
_FILTER: Final = 7
_SESSION_FILTER: Final = "com.microsoft:session-filter"

Link = inlets.Inlet | outlets.QueueOutlet | outlets.ResponseOutlet


def make_link(session: sessions.Session, attach: performatives.Attach) -> Link:
    """Make the link that the client asks for; raise LinkRefusedError when there can be none."""
    return _make_outlet(session, attach) if attach.role else _make_inlet(session, attach)


def _make_inlet(session: sessions.Session, attach: performatives.Attach) -> Link:
    if attach.target is not None and attach.target.descriptor == states.COORDINATOR:
        raise errors.LinkNotBuiltError("Transactions are not built in this local broker.")
    path = _address(attach.target, "target")
    address = addresses.parse(path)
    if address.node is addresses.Node.QUEUE:
        dispatcher = session.namespace.find(address.entity)
        if dispatcher.queue.dead_letters is None:
            raise errors.LinkRefusedError("Nothing can be sent to dead letters; send to the queue.")
        return inlets.Inlet(session, attach, inlets.QueueReceiver(session, dispatcher))
    return inlets.Inlet(session, attach, inlets.RequestReceiver(session, path, _endpoint(session, address)))


def _make_outlet(session: sessions.Session, attach: performatives.Attach) -> Link:
    _refuse_sessions(attach.source)
    path = _address(attach.source, "source")
    address = addresses.parse(path)
    if address.node is addresses.Node.QUEUE:
        return outlets.QueueOutlet(session, attach, session.namespace.find(address.entity))
    _endpoint(session, address)
    outlet = outlets.ResponseOutlet(session, attach, _optional_address(attach.target))
    session.add_response_outlet(path, outlet)
    return outlet


def _endpoint(session: sessions.Session, address: addresses.Address) -> requests.Endpoint:
    if address.node is addresses.Node.CBS:
        return cbs.TokenEndpoint()
    dispatcher = session.namespace.find(address.entity)
    return management.ManagementEndpoint(
        session.namespace, dispatcher, max_message_bytes=session.limits.max_message_bytes
    )


def _address(terminus: values.Described | None, name: str) -> str:
    address = _optional_address(terminus)
    if address is None:
        raise errors.LinkNotBuiltError(f"A link without a {name} address is not built in this local broker.")
    return address


def _optional_address(terminus: values.Described | None) -> str | None:
    fields: list[Any] = [None] if terminus is None else states.fields(terminus, 1)
    return fields[_ADDRESS] if isinstance(fields[_ADDRESS], str) else None


def _refuse_sessions(source: values.Described | None) -> None:
    filters = None if source is None else states.fields(source, _FILTER + 1)[_FILTER]
    if isinstance(filters, dict) and _SESSION_FILTER in filters:
        raise errors.LinkNotBuiltError(
            "Sessions are not built in this local broker; receive without a session id."
        )
