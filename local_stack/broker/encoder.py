"""AMQP values to bytes, each in its shortest encoding; `decode(encode(value)) == value`, types included."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from local_stack.broker import decoder, values

Encode = Callable[[Any], bytes]


def encode(value: Any) -> bytes:
    """Encode one value. Numbers must fit their type (struct.error): callers pass what they made or read."""
    return _ENCODERS[type(value)](value)


def of_type(kind: type | None) -> Encode:
    """The encoder of one type, for plain numbers and strings too; of None: of whatever type a value has."""
    return encode if kind is None else _ENCODERS[kind]


def array(constructor: int, items: list[Any]) -> values.Array:
    return values.Array(constructor, tuple(items))


def compound(code8: int, code32: int, count: int, content: bytes) -> bytes:
    """Frame the encoded elements of a list (0xc0, 0xd0) or map (0xc1, 0xd1; `count` is keys plus values)."""
    if len(content) < 255 and count < 256:
        return bytes((code8, len(content) + 1, count)) + content
    return struct.pack(">BII", code32, len(content) + 4, count) + content


def described(code: int, encoded: bytes) -> bytes:
    # The clients read a descriptor as smallulong without looking, so it is always written so.
    return bytes((decoder.DESCRIBED, 0x53, code)) + encoded


def _pack(layout: str) -> Encode:
    return struct.Struct(layout).pack


def _shortest(zero: int | None, small: int, small_layout: str, wide: int, wide_layout: str) -> Encode:
    pack_small = struct.Struct(">B" + small_layout).pack
    pack_wide = struct.Struct(">B" + wide_layout).pack
    low, high = (0, 255) if small_layout == "B" else (-128, 127)

    def encode_integer(value: int) -> bytes:
        if value == 0 and zero is not None:
            return bytes((zero,))
        if low <= value <= high:
            return pack_small(small, value)
        return pack_wide(wide, value)

    return encode_integer


def _coded(code: int, encode_value: Encode) -> Encode:
    prefix = bytes((code,))
    return lambda value: prefix + encode_value(value)


def _variable(code8: int, code32: int, to_bytes: Encode) -> Encode:
    pack32 = struct.Struct(">BI").pack

    def encode_variable(value: Any) -> bytes:
        octets = to_bytes(value)
        size = len(octets)
        return (bytes((code8, size)) if size < 256 else pack32(code32, size)) + octets

    return encode_variable


def _utf8(value: str) -> bytes:
    return value.encode("utf-8")


def _ascii(value: str) -> bytes:
    return value.encode("ascii")


def _uuid(value: UUID) -> bytes:
    return value.bytes


def _list(items: list[Any]) -> bytes:
    if not items:
        return b"\x45"
    return compound(0xC0, 0xD0, len(items), b"".join([encode(item) for item in items]))


def _map(entries: dict[Any, Any]) -> bytes:
    content = b"".join([encode(key) + encode(value) for key, value in entries.items()])
    return compound(0xC1, 0xD1, 2 * len(entries), content)


def _described(value: values.Described) -> bytes:
    return b"\x00" + encode(value.descriptor) + encode(value.value)


def _array(value: values.Array) -> bytes:
    head = b"" if value.descriptor is None else b"\x00" + encode(value.descriptor)
    encode_element = _ELEMENTS[value.constructor]
    content = head + bytes((value.constructor,)) + b"".join([encode_element(item) for item in value.values])
    return compound(decoder.ARRAY8, decoder.ARRAY32, len(value.values), content)


def _sized(layout: str, to_bytes: Encode) -> Encode:
    pack = struct.Struct(layout).pack

    def encode_element(value: Any) -> bytes:
        octets = to_bytes(value)
        return pack(len(octets)) + octets

    return encode_element


def _list_content(items: list[Any]) -> tuple[int, bytes]:
    return len(items), b"".join([encode(item) for item in items])


def _map_content(entries: dict[Any, Any]) -> tuple[int, bytes]:
    return 2 * len(entries), b"".join([encode(key) + encode(value) for key, value in entries.items()])


def _array_content(value: values.Array) -> tuple[int, bytes]:
    head = b"" if value.descriptor is None else b"\x00" + encode(value.descriptor)
    items = b"".join([_ELEMENTS[value.constructor](item) for item in value.values])
    return len(value.values), head + bytes((value.constructor,)) + items


def _compound_element(layout: str, content_of: Callable[[Any], tuple[int, bytes]]) -> Encode:
    pack = struct.Struct(layout).pack
    count_width = struct.calcsize(layout) // 2

    def encode_element(value: Any) -> bytes:
        count, content = content_of(value)
        return pack(len(content) + count_width, count) + content

    return encode_element


def _nothing(_value: Any) -> bytes:
    return b""


_ENCODERS: Final[dict[type, Encode]] = {
    type(None): lambda _value: b"\x40",
    bool: lambda value: b"\x41" if value else b"\x42",
    values.UByte: _coded(0x50, _pack(">B")),
    values.UShort: _coded(0x60, _pack(">H")),
    values.UInt: _shortest(0x43, 0x52, "B", 0x70, "I"),
    values.ULong: _shortest(0x44, 0x53, "B", 0x80, "Q"),
    values.Byte: _coded(0x51, _pack(">b")),
    values.Short: _coded(0x61, _pack(">h")),
    values.Int: _shortest(None, 0x54, "b", 0x71, "i"),
    values.Long: _shortest(None, 0x55, "b", 0x81, "q"),
    int: _shortest(None, 0x55, "b", 0x81, "q"),
    values.Float: _coded(0x72, _pack(">f")),
    float: _coded(0x82, _pack(">d")),
    values.Decimal32: _coded(0x74, bytes),
    values.Decimal64: _coded(0x84, bytes),
    values.Decimal128: _coded(0x94, bytes),
    values.Char: _coded(0x73, _pack(">I")),
    values.Timestamp: _coded(0x83, _pack(">q")),
    UUID: _coded(0x98, _uuid),
    bytes: _variable(0xA0, 0xB0, bytes),
    str: _variable(0xA1, 0xB1, _utf8),
    values.Symbol: functools.lru_cache(maxsize=256)(_variable(0xA3, 0xB3, _ascii)),  # few, in every message
    list: _list,
    dict: _map,
    values.Described: _described,
    values.Array: _array,
}

# Inside an array the format code stands once, so every element is written in that very encoding.
_ELEMENTS: Final[dict[int, Encode]] = {
    **dict.fromkeys((0x40, 0x41, 0x42, 0x43, 0x44, 0x45), _nothing),
    **dict.fromkeys((0x50, 0x52, 0x53), _pack(">B")),
    **dict.fromkeys((0x51, 0x54, 0x55), _pack(">b")),
    0x56: _pack(">?"),
    0x60: _pack(">H"),
    0x61: _pack(">h"),
    **dict.fromkeys((0x70, 0x73), _pack(">I")),
    0x71: _pack(">i"),
    0x72: _pack(">f"),
    0x80: _pack(">Q"),
    **dict.fromkeys((0x81, 0x83), _pack(">q")),
    0x82: _pack(">d"),
    **dict.fromkeys((0x74, 0x84, 0x94), bytes),
    0x98: _uuid,
    0xA0: _sized(">B", bytes),
    0xA1: _sized(">B", _utf8),
    0xA3: _sized(">B", _ascii),
    0xB0: _sized(">I", bytes),
    0xB1: _sized(">I", _utf8),
    0xB3: _sized(">I", _ascii),
    0xC0: _compound_element(">BB", _list_content),
    0xC1: _compound_element(">BB", _map_content),
    0xD0: _compound_element(">II", _list_content),
    0xD1: _compound_element(">II", _map_content),
    decoder.ARRAY8: _compound_element(">BB", _array_content),
    decoder.ARRAY32: _compound_element(">II", _array_content),
}
