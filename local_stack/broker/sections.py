"""The sections of an AMQP message (part 3, section 3.2): what the broker reads, rewrites and passes on.

The broker owns header and message annotations. Properties, application properties and body go to the
consumer as the bytes in which they came, together called the bare message.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from local_stack.broker import decoder, encoder, errors, values

BATCH_FORMAT: Final = 0x80013700  # each Data section of the envelope is one encoded message


class Section(IntEnum):
    __hash__ = int.__hash__  # an Enum's own is slow, and every message is looked up by its sections

    HEADER = 0x70
    DELIVERY_ANNOTATIONS = 0x71
    MESSAGE_ANNOTATIONS = 0x72
    PROPERTIES = 0x73
    APPLICATION_PROPERTIES = 0x74
    DATA = 0x75
    SEQUENCE = 0x76
    VALUE = 0x77
    FOOTER = 0x78


_BODIES: Final = (Section.DATA, Section.SEQUENCE, Section.VALUE)
_REPEATABLE: Final = (Section.DATA, Section.SEQUENCE)
_SECTIONS: Final = {int(section): section for section in Section}
_KINDS: Final[dict[Section, type]] = {
    Section.HEADER: list,
    Section.DELIVERY_ANNOTATIONS: dict,
    Section.MESSAGE_ANNOTATIONS: dict,
    Section.PROPERTIES: list,
    Section.APPLICATION_PROPERTIES: dict,
    Section.DATA: bytes,
    Section.SEQUENCE: list,
    Section.FOOTER: dict,
}
_MESSAGE_ID, _REPLY_TO, _CORRELATION_ID, _GROUP_ID = 0, 4, 5, 10


class Span(NamedTuple):
    """One section: where it lies and the value behind its descriptor."""

    section: Section
    start: int
    end: int
    value: Any


class Parsed(NamedTuple):
    """A message taken apart."""

    durable: bool | None = None
    priority: int | None = None
    ttl_ms: int | None = None
    annotations: Mapping[Any, Any] = MappingProxyType({})
    message_id: Any = None
    reply_to: Any = None
    group_id: Any = None
    application_properties: Mapping[Any, Any] = MappingProxyType({})
    body: Any = None  # of a message whose body is one AMQP value
    bare: bytes = b""


def parse(message: bytes) -> Parsed:
    """Take a message apart; raise MalformedMessageError for anything that a consumer could not read."""
    try:
        return _parse(message)
    except errors.DecodeError as failure:
        raise errors.MalformedMessageError(f"The message cannot be decoded. {failure}") from failure


def batched(envelope: bytes) -> list[bytes]:
    """Return the encoded messages of a batch. Properties and annotations of the envelope mean nothing."""
    try:
        messages = [span.value for span in _spans(envelope) if span.section is Section.DATA]
    except errors.DecodeError as failure:
        raise errors.MalformedMessageError(f"The batch cannot be decoded. {failure}") from failure
    if not messages:
        raise errors.MalformedMessageError("The batch holds no message.")
    return messages


def _parse(message: bytes) -> Parsed:
    spans = _spans(message)
    found = {span.section: span.value for span in spans}
    if found.keys().isdisjoint(_BODIES):
        raise errors.DecodeError("It has no body.")
    bare_start = next(span.start for span in spans if span.section >= Section.PROPERTIES)
    header = [*found.get(Section.HEADER, ()), None, None, None]
    properties = [*found.get(Section.PROPERTIES, ()), *(None,) * 11]
    return Parsed(
        durable=_typed(header[0], bool),
        priority=_typed(header[1], values.UByte),
        ttl_ms=_typed(header[2], values.UInt),
        annotations=found.get(Section.MESSAGE_ANNOTATIONS) or {},
        message_id=properties[_MESSAGE_ID],
        reply_to=properties[_REPLY_TO],
        group_id=properties[_GROUP_ID],
        application_properties=found.get(Section.APPLICATION_PROPERTIES) or {},
        body=found.get(Section.VALUE),
        bare=message[bare_start:],
    )


def _typed(value: Any, kind: type) -> Any:
    if value is not None and not isinstance(value, kind):
        raise errors.DecodeError("A header field has the wrong type.")
    return value


def _spans(message: bytes) -> list[Span]:
    spans: list[Span] = []
    offset = 0
    while offset < len(message):
        span = _span(message, offset)
        if spans and not _may_follow(spans[-1].section, span.section):
            raise errors.DecodeError("The sections of a message are out of order.")
        spans.append(span)
        offset = span.end
    return spans


def _span(message: bytes, offset: int) -> Span:
    descriptor, value, end = decoder.decode_described(message, offset)
    section = _SECTIONS.get(descriptor)
    if section is None:
        raise errors.DecodeError("A message section is unknown.")
    expected = _KINDS.get(section)
    if expected is not None and not isinstance(value, expected):
        raise errors.DecodeError(f"A message section is not a {expected.__name__}.")
    return Span(section, offset, end, value)


def _may_follow(before: Section, after: Section) -> bool:
    if before in _BODIES:
        return after is Section.FOOTER or (after is before and after in _REPEATABLE)
    return after > before


def header(*, durable: bool | None, priority: int | None, ttl_ms: int | None, delivery_count: int) -> bytes:
    fields: list[Any] = [
        durable,
        None if priority is None else values.UByte(priority),
        None if ttl_ms is None else values.UInt(ttl_ms),
        None,
        values.UInt(delivery_count),
    ]
    return encoder.described(Section.HEADER, encoder.encode(fields))


def message_annotations(entries: dict[Any, Any]) -> bytes:
    return encoder.described(Section.MESSAGE_ANNOTATIONS, encoder.encode(entries))


def with_application_properties(bare: bytes, additions: dict[str, Any]) -> bytes:
    """Merge `additions` into the application properties of a bare message."""
    before, after, existing = b"", bare, {}
    for span in _spans(bare):
        if span.section is Section.PROPERTIES:
            before, after = bare[: span.end], bare[span.end :]
        if span.section is Section.APPLICATION_PROPERTIES:
            existing, after = span.value, bare[span.end :]
    merged = encoder.encode({**existing, **additions})
    return before + encoder.described(Section.APPLICATION_PROPERTIES, merged) + after


def response(*, correlation_id: Any, application_properties: dict[str, Any], body: Any) -> bytes:
    """Build the answer to a request; `correlation_id` is the request's message id in its very type."""
    properties = [None] * _CORRELATION_ID + [correlation_id]
    return (
        encoder.described(Section.PROPERTIES, encoder.encode(properties))
        + encoder.described(Section.APPLICATION_PROPERTIES, encoder.encode(application_properties))
        + encoder.described(Section.VALUE, encoder.encode(body))
    )
