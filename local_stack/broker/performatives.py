"""The frame bodies of AMQP 1.0 (part 2, section 2.7; part 5, section 5.3), in the order of the wire.

They are NamedTuples because on the wire they are lists: the position is the field.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from local_stack.broker import decoder, encoder, errors, values


class SaslMechanisms(NamedTuple):
    sasl_server_mechanisms: values.Array


class SaslInit(NamedTuple):
    mechanism: str
    initial_response: bytes | None = None
    hostname: str | None = None


class SaslOutcome(NamedTuple):
    code: int
    additional_data: bytes | None = None


class Open(NamedTuple):
    container_id: str
    hostname: str | None = None
    max_frame_size: int | None = None
    channel_max: int | None = None
    idle_time_out: int | None = None
    outgoing_locales: Any = None
    incoming_locales: Any = None
    offered_capabilities: Any = None
    desired_capabilities: Any = None
    properties: dict[Any, Any] | None = None


class Begin(NamedTuple):
    remote_channel: int | None
    next_outgoing_id: int
    incoming_window: int
    outgoing_window: int
    handle_max: int | None = None
    offered_capabilities: Any = None
    desired_capabilities: Any = None
    properties: dict[Any, Any] | None = None


class Attach(NamedTuple):
    name: str
    handle: int
    role: bool
    snd_settle_mode: int | None = None
    rcv_settle_mode: int | None = None
    source: values.Described | None = None
    target: values.Described | None = None
    unsettled: dict[Any, Any] | None = None
    incomplete_unsettled: bool | None = None
    initial_delivery_count: int | None = None
    max_message_size: int | None = None
    offered_capabilities: Any = None
    desired_capabilities: Any = None
    properties: dict[Any, Any] | None = None


class Flow(NamedTuple):
    next_incoming_id: int | None
    incoming_window: int
    next_outgoing_id: int
    outgoing_window: int
    handle: int | None = None
    delivery_count: int | None = None
    link_credit: int | None = None
    available: int | None = None
    drain: bool | None = None
    echo: bool | None = None
    properties: dict[Any, Any] | None = None


class Transfer(NamedTuple):
    """Followed in its frame by the payload."""

    handle: int
    delivery_id: int | None = None
    delivery_tag: bytes | None = None
    message_format: int | None = None
    settled: bool | None = None
    more: bool | None = None
    rcv_settle_mode: int | None = None
    state: Any = None
    resume: bool | None = None
    aborted: bool | None = None
    batchable: bool | None = None


class Disposition(NamedTuple):
    role: bool
    first: int
    last: int | None = None
    settled: bool | None = None
    state: values.Described | None = None
    batchable: bool | None = None


class Detach(NamedTuple):
    handle: int
    closed: bool | None = None
    error: values.Described | None = None


class End(NamedTuple):
    error: values.Described | None = None


class Close(NamedTuple):
    error: values.Described | None = None


Performative = (
    SaslMechanisms
    | SaslInit
    | SaslOutcome
    | Open
    | Begin
    | Attach
    | Flow
    | Transfer
    | Disposition
    | Detach
    | End
    | Close
)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a performative lies on the wire: `fields` are encodings (None: any), the first n `required`."""

    code: int
    build: Callable[..., Any]
    fields: tuple[type | None, ...]
    required: int = 0

    @cached_property
    def encoders(self) -> tuple[encoder.Encode, ...]:
        """How each field is written: a plain number in the width of its field."""
        return tuple(encoder.of_type(kind) for kind in self.fields)

    @cached_property
    def limits(self) -> tuple[int | None, ...]:
        """For each field that is a number: the first one too large."""
        return tuple(_LIMITS.get(kind) for kind in self.fields)


_CAPABILITIES: Final = (None, None, dict)

LAYOUTS: Final[dict[type, Layout]] = {
    SaslMechanisms: Layout(code=0x40, build=SaslMechanisms, fields=(None,), required=1),
    SaslInit: Layout(code=0x41, build=SaslInit, fields=(values.Symbol, bytes, str), required=1),
    SaslOutcome: Layout(code=0x44, build=SaslOutcome, fields=(values.UByte, bytes), required=1),
    Open: Layout(
        code=0x10,
        build=Open,
        fields=(str, str, values.UInt, values.UShort, values.UInt, None, None, *_CAPABILITIES),
        required=1,
    ),
    Begin: Layout(
        code=0x11,
        build=Begin,
        fields=(values.UShort, values.UInt, values.UInt, values.UInt, values.UInt, *_CAPABILITIES),
    ),
    Attach: Layout(
        code=0x12,
        build=Attach,
        fields=(
            str,
            values.UInt,
            bool,
            values.UByte,
            values.UByte,
            values.Described,
            values.Described,
            dict,
            bool,
            values.UInt,
            values.ULong,
            *_CAPABILITIES,
        ),
        required=3,
    ),
    Flow: Layout(
        code=0x13,
        build=Flow,
        fields=(
            *(values.UInt,) * 8,
            bool,
            bool,
            dict,
        ),
    ),
    Transfer: Layout(
        code=0x14,
        build=Transfer,
        fields=(
            values.UInt,
            values.UInt,
            bytes,
            values.UInt,
            bool,
            bool,
            values.UByte,
            None,
            bool,
            bool,
            bool,
        ),
        required=1,
    ),
    Disposition: Layout(
        code=0x15,
        build=Disposition,
        fields=(bool, values.UInt, values.UInt, bool, values.Described, bool),
        required=2,
    ),
    Detach: Layout(code=0x16, build=Detach, fields=(values.UInt, bool, values.Described), required=1),
    End: Layout(code=0x17, build=End, fields=(values.Described,)),
    Close: Layout(code=0x18, build=Close, fields=(values.Described,)),
}
_BY_CODE: Final = {layout.code: layout for layout in LAYOUTS.values()}
_LIMITS: Final[dict[type | None, int]] = {
    values.UByte: 1 << 8,
    values.UShort: 1 << 16,
    values.UInt: 1 << 32,
    values.ULong: 1 << 64,
}


def encode(performative: Performative) -> bytes:
    """Write every field, nulls included: azure-servicebus before 7.15 indexes the list without a look."""
    layout = LAYOUTS[type(performative)]
    encoded = [
        b"\x40" if value is None else encode_field(value)
        for encode_field, value in zip(layout.encoders, performative, strict=True)
    ]
    return encoder.described(layout.code, encoder.compound(0xC0, 0xD0, len(encoded), b"".join(encoded)))


def decode(body: bytes) -> tuple[Performative, int]:
    """Return the performative and the offset where the payload begins."""
    descriptor, fields, end = decoder.decode_described(body)
    if not isinstance(fields, list):
        raise errors.DecodeError("A frame body is not a described list.")
    layout = _BY_CODE.get(descriptor)
    if layout is None:
        raise errors.DecodeError("A frame body is no performative of AMQP 1.0.")
    _check(layout, fields)
    performative: Performative = layout.build(*fields, *_absent(layout, len(fields)))
    return performative, end


def _absent(layout: Layout, present: int) -> tuple[None, ...]:
    return (None,) * (len(layout.fields) - present)


def _check(layout: Layout, fields: list[Any]) -> None:
    name = layout.build.__name__.lower()
    if len(fields) > len(layout.fields):
        raise errors.DecodeError(f"{name} has more fields than AMQP 1.0 knows.")
    if len(fields) < layout.required or None in fields[: layout.required]:
        raise errors.DecodeError(f"{name} lacks a mandatory field.")
    for kind, limit, value in zip(layout.fields, layout.limits, fields, strict=False):
        if (
            value is not None
            and kind is not None
            and type(value) is not kind
            and not _matches(kind, limit, value)
        ):
            raise errors.DecodeError(f"{name} has a field of the wrong type.")


def _matches(kind: type, limit: int | None, value: Any) -> bool:
    if limit is not None:
        # The peer's own integer width is forgiven: the number is what counts.
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < limit
    return isinstance(value, kind)
