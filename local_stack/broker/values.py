"""AMQP 1.0 types that Python does not tell apart.

null is None, boolean is bool, string is str, binary is bytes, uuid is UUID, double is float, list is list,
map is dict; a plain int is written as long. (OASIS AMQP 1.0, part 1, section 1.6.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class UByte(int):
    __slots__ = ()


class UShort(int):
    __slots__ = ()


class UInt(int):
    __slots__ = ()


class ULong(int):
    __slots__ = ()


class Byte(int):
    __slots__ = ()


class Short(int):
    __slots__ = ()


class Int(int):
    __slots__ = ()


class Long(int):
    __slots__ = ()


class Timestamp(int):
    """Milliseconds since 1970-01-01 UTC."""

    __slots__ = ()


class Char(int):
    """One Unicode code point, lone surrogates included."""

    __slots__ = ()


class Float(float):
    """32 bits wide."""

    __slots__ = ()


class Symbol(str):
    """ASCII."""

    __slots__ = ()


class Decimal32(bytes):
    """Kept as it came: nothing here calculates with it."""


class Decimal64(bytes):
    """Kept as it came: nothing here calculates with it."""


class Decimal128(bytes):
    """Kept as it came: nothing here calculates with it."""


@dataclass(frozen=True)
class Described:
    """A value and what it means; the composites of the protocol are described lists."""

    descriptor: Any
    value: Any


@dataclass(frozen=True)
class Array:
    """Elements of one encoding: `constructor` is its format code, `descriptor` belongs to each element."""

    constructor: int
    values: tuple[Any, ...]
    descriptor: Any = None
