"""Delivery states and errors as they stand in frames (part 3, section 3.4; part 2, section 2.8.14)."""

from __future__ import annotations

from typing import Any, Final

from local_stack.broker import errors, values

SOURCE: Final = 0x28
TARGET: Final = 0x29
COORDINATOR: Final = 0x30
RECEIVED: Final = 0x23
ACCEPTED: Final = 0x24
REJECTED: Final = 0x25
RELEASED: Final = 0x26
MODIFIED: Final = 0x27
ERROR: Final = 0x1D


def outcome(code: int) -> values.Described:
    """The bare outcome: what a settled delivery is answered with."""
    return values.Described(values.ULong(code), [])


def error(failure: errors.AmqpError) -> values.Described:
    """All three fields always: the clients read the third without a look, and hang where there is none."""
    return values.Described(values.ULong(ERROR), [values.Symbol(failure.code), str(failure), {}])


def rejected(failure: errors.AmqpError) -> values.Described:
    return values.Described(values.ULong(REJECTED), [error(failure)])


def fields(state: values.Described, count: int) -> list[Any]:
    """The fields of a composite, filled up with nulls; raise DecodeError when it is none."""
    if not isinstance(state.value, list):
        raise errors.DecodeError("A composite is not a list.")
    return [*state.value, *(None,) * (count - len(state.value))]
