"""The AMQP type system: what is written is what is read, and any bytes are safe to read."""

from __future__ import annotations

import math
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_stack.broker import decoder, encoder, errors, frames, performatives, sections, values


def _integers(kind: type, bits: int, *, signed: bool = False) -> st.SearchStrategy[Any]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.integers(low, high).map(kind)


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
_SYMBOLS = st.text(st.characters(max_codepoint=127), max_size=300).map(values.Symbol)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    _integers(values.UByte, 8),
    _integers(values.UShort, 16),
    _integers(values.UInt, 32),
    _integers(values.ULong, 64),
    _integers(values.Byte, 8, signed=True),
    _integers(values.Short, 16, signed=True),
    _integers(values.Int, 32, signed=True),
    _integers(values.Long, 64, signed=True),
    _integers(values.Timestamp, 64, signed=True),
    st.integers(0, 0x10FFFF).map(values.Char),
    st.floats(width=32, allow_nan=False).map(values.Float),
    st.floats(allow_nan=False),
    st.binary(min_size=4, max_size=4).map(values.Decimal32),
    st.binary(min_size=8, max_size=8).map(values.Decimal64),
    st.binary(min_size=16, max_size=16).map(values.Decimal128),
    st.uuids(),
    st.binary(max_size=300),
    _TEXT,
    _SYMBOLS,
)
_ARRAYS = st.one_of(
    st.builds(values.Array, st.just(0x98), st.lists(st.uuids(), max_size=40).map(tuple)),
    st.builds(values.Array, st.just(0x83), st.lists(_integers(values.Timestamp, 64, signed=True)).map(tuple)),
    st.builds(values.Array, st.just(0x52), st.lists(_integers(values.UInt, 8)).map(tuple)),
    st.builds(
        values.Array, st.just(0xB1), st.lists(_TEXT, max_size=5).map(tuple), st.just(values.ULong(300))
    ),
    st.builds(values.Array, st.just(0xD0), st.lists(st.lists(_SCALARS, max_size=3), max_size=4).map(tuple)),
)
# Keys of one type each: in Python 1, True and 1.0 are one key.
_VALUES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS | _ARRAYS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(_SYMBOLS, inner, max_size=4),
        st.dictionaries(_integers(values.UInt, 32), inner, max_size=4),
        st.builds(values.Described, _integers(values.ULong, 64), inner),
    ),
    max_leaves=12,
)


def same(left: Any, right: Any) -> bool:
    """Equal, types included."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return same(list(left.items()), list(right.items()))
    if isinstance(left, values.Described):
        return same([left.descriptor, left.value], [right.descriptor, right.value])
    if isinstance(left, values.Array):
        return same(
            [left.constructor, left.values, left.descriptor],
            [right.constructor, right.values, right.descriptor],
        )
    return bool(left == right)


@given(_VALUES)
def test_decoding_what_was_encoded_gives_the_same_value_and_type(value: Any) -> None:
    assert same(decoder.decode_all(encoder.encode(value)), value)


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_raise_one_typed_error(data: bytes) -> None:
    try:
        value, end = decoder.decode(data)
    except errors.DecodeError:
        return
    assert 0 < end <= len(data)
    encoder.encode(value)


@given(_VALUES, st.data())
def test_damaged_values_decode_or_raise_one_typed_error(value: Any, data: st.DataObject) -> None:
    damaged = bytearray(encoder.encode(value))
    position = data.draw(st.integers(0, len(damaged) - 1))
    damaged[position] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    try:
        decoder.decode(bytes(damaged[:cut]))
    except errors.DecodeError:
        return


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    for read in (sections.parse, sections.batched):
        try:
            read(data)
        except errors.MalformedMessageError:
            continue


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_refused(data: bytes) -> None:
    buffer = frames.FrameBuffer(max_frame_bytes=512)
    buffer.feed(data)
    try:
        while (frame := buffer.take_frame()) is not None:
            if frame.body:
                performatives.decode(frame.body)
    except errors.ConnectionFailedError:
        return


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        # Rows from the examples of AMQP 1.0, part 1, and from what the clients send.
        ("40", None),
        ("5601", True),
        ("43", values.UInt(0)),
        ("700000000a", values.UInt(10)),
        ("8000000000000000ff", values.ULong(255)),
        ("54ff", values.Int(-1)),
        ("a1036f6b21", "ok!"),
        ("45", []),
        ("c00804a1016150014144", ["a", values.UByte(1), True, values.ULong(0)]),
        ("e00902a303666f6f026261", values.Array(0xA3, (values.Symbol("foo"), values.Symbol("ba")))),
        ("98" + "00" * 15 + "01", UUID(int=1)),
        ("8300000000000003e8", values.Timestamp(1000)),
    ],
)
def test_known_encodings_are_read(encoded: str, value: Any) -> None:
    assert same(decoder.decode_all(bytes.fromhex(encoded)), value)


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param("", id="nothing"),
        pytest.param("ff", id="no format code"),
        pytest.param("5602", id="a boolean of 2"),
        pytest.param("a105", id="a string without its text"),
        pytest.param("a101ff", id="a string that is not UTF-8"),
        pytest.param("a301ff", id="a symbol that is not ASCII"),
        pytest.param("7300110000", id="a character outside Unicode"),
        pytest.param("c1024045", id="a map with half an entry"),
        pytest.param("c10402454540", id="a map whose key is a list"),
        pytest.param("d0ffffffffffffffff", id="a list of four billion"),
        pytest.param("f00000000500ffffff40", id="an array of many nulls"),
        pytest.param("c002014141", id="a list followed by more"),
        pytest.param("c003014141", id="a list shorter than it says"),
        pytest.param("00" * 100, id="descriptors of descriptors"),
        pytest.param("c0ff01" * 90 + "00" * 300, id="lists in lists in lists"),
    ],
)
def test_malformed_bytes_are_refused(encoded: str) -> None:
    with pytest.raises(errors.DecodeError):
        decoder.decode_all(bytes.fromhex(encoded))


def test_not_a_number_is_kept() -> None:
    assert math.isnan(decoder.decode_all(encoder.encode(math.nan)))


def test_performatives_are_written_with_all_their_fields() -> None:
    described, _end = decoder.decode(performatives.encode(performatives.Detach(handle=1)))
    assert described == values.Described(values.ULong(0x16), [1, None, None])


@given(
    st.builds(
        performatives.Transfer,
        handle=_integers(values.UInt, 32),
        delivery_id=st.none() | _integers(values.UInt, 32),
        delivery_tag=st.none() | st.binary(max_size=32),
        settled=st.none() | st.booleans(),
        more=st.none() | st.booleans(),
        state=st.none(),
        message_format=st.none() | _integers(values.UInt, 32),
        rcv_settle_mode=st.none() | _integers(values.UByte, 8),
    ),
    st.binary(max_size=50),
)
def test_performative_and_payload_come_back_apart(transfer: performatives.Transfer, payload: bytes) -> None:
    body = performatives.encode(transfer) + payload
    decoded, end = performatives.decode(body)
    assert (decoded, body[end:]) == (transfer, payload)
