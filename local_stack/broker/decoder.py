"""Bytes to AMQP values. Any bytes decode or raise DecodeError, in time and memory linear in their length."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from local_stack.broker import errors, values

MAX_DEPTH: Final = 32
# Elements without bytes of their own (null, true, 0, empty list) are not bounded by the length of the input.
MAX_EMPTY_ELEMENTS: Final = 256
DESCRIBED: Final = 0x00
_NULL: Final = 0x40
_DESCRIBED_BY_OCTET: Final = b"\x00\x53"
ARRAY8: Final = 0xE0
ARRAY32: Final = 0xF0

Decode = Callable[[bytes, int, int], tuple[Any, int]]

_UINT32 = struct.Struct(">I").unpack_from
_UINT32_PAIR = struct.Struct(">II").unpack_from


def decode(buffer: bytes, offset: int = 0) -> tuple[Any, int]:
    """Return the value that starts at `offset` and the offset after it."""
    try:
        return _decode(buffer, offset, 0)
    except errors.DecodeError:
        raise
    except (IndexError, struct.error) as failure:
        raise errors.DecodeError("An AMQP value ends before its size says.") from failure
    except (ValueError, TypeError) as failure:
        # Text that is not UTF-8, a map key that is itself a map.
        raise errors.DecodeError(f"An AMQP value is malformed: {type(failure).__name__}.") from failure


def decode_described(buffer: bytes, offset: int = 0) -> tuple[int, Any, int]:
    """Return the number that describes the value at `offset`, the value, and the offset after it."""
    if buffer[offset : offset + 2] == _DESCRIBED_BY_OCTET and offset + 2 < len(buffer):
        # What clients write: one octet, no need for the general way.
        value, end = decode(buffer, offset + 3)
        return buffer[offset + 2], value, end
    described, end = decode(buffer, offset)
    if not isinstance(described, values.Described) or not isinstance(described.descriptor, int):
        raise errors.DecodeError("A described value has no number as its descriptor.")
    return described.descriptor, described.value, end


def decode_all(buffer: bytes) -> Any:
    """Decode one value that must fill the buffer."""
    value, end = decode(buffer)
    if end != len(buffer):
        raise errors.DecodeError("Bytes follow an AMQP value where none belong.")
    return value


def _decode(buffer: bytes, offset: int, depth: int) -> tuple[Any, int]:
    return _TABLE[buffer[offset]](buffer, offset + 1, depth)


def _unknown(buffer: bytes, offset: int, _depth: int) -> tuple[Any, int]:
    raise errors.DecodeError(f"0x{buffer[offset - 1]:02x} is no AMQP format code.")


def _constant(value: Any) -> Decode:
    return lambda _buffer, offset, _depth: (value, offset)


def _empty_list(_buffer: bytes, offset: int, _depth: int) -> tuple[list[Any], int]:
    return [], offset


def _fixed(layout: str, kind: Callable[[Any], Any]) -> Decode:
    compiled = struct.Struct(layout)
    unpack, width = compiled.unpack_from, compiled.size

    def decode_fixed(buffer: bytes, offset: int, _depth: int) -> tuple[Any, int]:
        return kind(unpack(buffer, offset)[0]), offset + width

    return decode_fixed


def _octet(kind: Callable[[int], Any]) -> Decode:
    values_of = tuple(kind(octet) for octet in range(256))
    return lambda buffer, offset, _depth: (values_of[buffer[offset]], offset + 1)


def _boolean(buffer: bytes, offset: int, _depth: int) -> tuple[bool, int]:
    value = buffer[offset]
    if value > 1:
        raise errors.DecodeError("A boolean is neither 0 nor 1.")
    return value == 1, offset + 1


def _char(code_point: int) -> values.Char:
    if code_point > 0x10FFFF:
        raise errors.DecodeError("A character lies outside Unicode.")
    return values.Char(code_point)


def _uuid(octets: bytes) -> UUID:
    return UUID(bytes=octets)


def _variable8(kind: Callable[[bytes], Any]) -> Decode:
    def decode_variable(buffer: bytes, offset: int, _depth: int) -> tuple[Any, int]:
        start = offset + 1
        end = start + buffer[offset]
        _check_end(buffer, end)
        return kind(buffer[start:end]), end

    return decode_variable


def _variable32(kind: Callable[[bytes], Any]) -> Decode:
    def decode_variable(buffer: bytes, offset: int, _depth: int) -> tuple[Any, int]:
        start = offset + 4
        end = start + _UINT32(buffer, offset)[0]
        _check_end(buffer, end)
        return kind(buffer[start:end]), end

    return decode_variable


def _check_end(buffer: bytes, end: int) -> None:
    if end > len(buffer):
        raise errors.DecodeError("An AMQP value ends before its size says.")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8")


def _symbol(octets: bytes) -> values.Symbol:
    return values.Symbol(octets.decode("ascii"))


def _compound8(read: Callable[[bytes, int, int, int], tuple[Any, int]]) -> Decode:
    def decode_compound(buffer: bytes, offset: int, depth: int) -> tuple[Any, int]:
        end = offset + 1 + buffer[offset]
        return _read_compound(read, buffer, offset + 2, buffer[offset + 1], end, depth)

    return decode_compound


def _compound32(read: Callable[[bytes, int, int, int], tuple[Any, int]]) -> Decode:
    def decode_compound(buffer: bytes, offset: int, depth: int) -> tuple[Any, int]:
        size, count = _UINT32_PAIR(buffer, offset)
        return _read_compound(read, buffer, offset + 8, count, offset + 4 + size, depth)

    return decode_compound


def _read_compound(
    read: Callable[[bytes, int, int, int], tuple[Any, int]],
    buffer: bytes,
    offset: int,
    count: int,
    end: int,
    depth: int,
) -> tuple[Any, int]:
    _check_end(buffer, end)
    if depth >= MAX_DEPTH:
        raise errors.DecodeError(f"AMQP values are nested deeper than {MAX_DEPTH}.")
    if count > max(end - offset, MAX_EMPTY_ELEMENTS):
        raise errors.DecodeError("A list, map or array names more elements than it can hold.")
    value, reached = read(buffer, offset, count, depth + 1)
    if reached != end:
        raise errors.DecodeError("The size of a list, map or array is not that of its elements.")
    return value, end


def _list(buffer: bytes, offset: int, count: int, depth: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    for _ in range(count):
        code = buffer[offset]
        if code == _NULL:  # most fields of most lists
            items.append(None)
            offset += 1
        else:
            item, offset = _TABLE[code](buffer, offset + 1, depth)
            items.append(item)
    return items, offset


def _map(buffer: bytes, offset: int, count: int, depth: int) -> tuple[dict[Any, Any], int]:
    if count % 2:
        raise errors.DecodeError("A map has a key without a value.")
    entries = {}
    for _ in range(count // 2):
        key, offset = _TABLE[buffer[offset]](buffer, offset + 1, depth)
        entries[key], offset = _TABLE[buffer[offset]](buffer, offset + 1, depth)
    return entries, offset


def _array(buffer: bytes, offset: int, count: int, depth: int) -> tuple[values.Array, int]:
    descriptor = None
    code = buffer[offset]
    offset += 1
    if code == DESCRIBED:
        descriptor, offset = _decode(buffer, offset, depth)
        code = buffer[offset]
        offset += 1
    decoder = _DECODERS.get(code)
    if decoder is None or code == DESCRIBED:
        raise errors.DecodeError(f"0x{code:02x} is no AMQP format code for the elements of an array.")
    items = []
    for _ in range(count):
        item, offset = decoder(buffer, offset, depth)
        items.append(item)
    return values.Array(code, tuple(items), descriptor), offset


def _described(buffer: bytes, offset: int, depth: int) -> tuple[values.Described, int]:
    if depth >= MAX_DEPTH:
        raise errors.DecodeError(f"AMQP values are nested deeper than {MAX_DEPTH}.")
    descriptor, offset = _decode(buffer, offset, depth + 1)
    value, offset = _decode(buffer, offset, depth + 1)
    return values.Described(descriptor, value), offset


_DECODERS: Final[dict[int, Decode]] = {
    DESCRIBED: _described,
    _NULL: _constant(None),
    0x41: _constant(True),  # noqa: FBT003 - the value itself
    0x42: _constant(False),  # noqa: FBT003 - the value itself
    0x43: _constant(values.UInt(0)),
    0x44: _constant(values.ULong(0)),
    0x45: _empty_list,
    0x50: _octet(values.UByte),
    0x51: _fixed(">b", values.Byte),
    0x52: _octet(values.UInt),
    0x53: _octet(values.ULong),
    0x54: _fixed(">b", values.Int),
    0x55: _fixed(">b", values.Long),
    0x56: _boolean,
    0x60: _fixed(">H", values.UShort),
    0x61: _fixed(">h", values.Short),
    0x70: _fixed(">I", values.UInt),
    0x71: _fixed(">i", values.Int),
    0x72: _fixed(">f", values.Float),
    0x73: _fixed(">I", _char),
    0x74: _fixed(">4s", values.Decimal32),
    0x80: _fixed(">Q", values.ULong),
    0x81: _fixed(">q", values.Long),
    0x82: _fixed(">d", float),
    0x83: _fixed(">q", values.Timestamp),
    0x84: _fixed(">8s", values.Decimal64),
    0x94: _fixed(">16s", values.Decimal128),
    0x98: _fixed(">16s", _uuid),
    0xA0: _variable8(bytes),
    0xA1: _variable8(_text),
    0xA3: _variable8(_symbol),
    0xB0: _variable32(bytes),
    0xB1: _variable32(_text),
    0xB3: _variable32(_symbol),
    0xC0: _compound8(_list),
    0xC1: _compound8(_map),
    0xD0: _compound32(_list),
    0xD1: _compound32(_map),
    ARRAY8: _compound8(_array),
    ARRAY32: _compound32(_array),
}
_TABLE: Final[tuple[Decode, ...]] = tuple(_DECODERS.get(code, _unknown) for code in range(256))
