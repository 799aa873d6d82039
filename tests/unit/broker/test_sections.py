"""Messages taken apart and put together again."""

from __future__ import annotations

from typing import Any

import pytest

from local_stack.broker import encoder, errors, sections, values


def section(code: int, value: Any) -> bytes:
    return encoder.described(code, encoder.encode(value))


_PROPERTIES = section(0x73, ["id", None, None, "subject", None, None, None, None, None, None, None])
_APPLICATION = section(0x74, {"tenant": "contoso"})
_BODY = section(0x75, b"body")


def test_everything_from_the_properties_on_is_passed_on_byte_by_byte() -> None:
    message = section(0x70, [True, values.UByte(4), values.UInt(1000)]) + section(
        0x72, {values.Symbol("x-opt-partition-key"): "p"}
    )
    parsed = sections.parse(message + _PROPERTIES + _APPLICATION + _BODY)
    assert (parsed.durable, parsed.priority, parsed.ttl_ms) == (True, 4, 1000)
    assert parsed.annotations == {"x-opt-partition-key": "p"}
    assert parsed.message_id == "id"
    assert parsed.application_properties == {"tenant": "contoso"}
    assert parsed.bare == _PROPERTIES + _APPLICATION + _BODY


def test_envelope_of_a_batch_gives_its_messages_and_nothing_else() -> None:
    first, second = _BODY, _PROPERTIES + _BODY
    envelope = _PROPERTIES + section(0x75, first) + section(0x75, second)
    assert sections.batched(envelope) == [first, second]


@pytest.mark.parametrize(
    ("bare", "expected"),
    [
        pytest.param(_BODY, {"why": "x"}, id="no properties at all"),
        pytest.param(_PROPERTIES + _BODY, {"why": "x"}, id="properties only"),
        pytest.param(_PROPERTIES + _APPLICATION + _BODY, {"tenant": "contoso", "why": "x"}, id="both"),
    ],
)
def test_application_properties_are_merged_and_the_rest_is_untouched(
    bare: bytes, expected: dict[str, str]
) -> None:
    merged = sections.parse(sections.with_application_properties(bare, {"why": "x"}))
    assert merged.application_properties == expected
    assert merged.message_id == sections.parse(bare).message_id
    assert merged.bare.endswith(_BODY)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(_PROPERTIES, id="no body"),
        pytest.param(_BODY + _PROPERTIES, id="sections out of order"),
        pytest.param(_BODY + section(0x77, "value"), id="two kinds of body"),
        pytest.param(section(0x77, 1) + section(0x77, 2), id="two values"),
        pytest.param(section(0x75, "text"), id="data that is not binary"),
        pytest.param(section(0x74, ["a"]) + _BODY, id="application properties that are a list"),
        pytest.param(section(0x70, ["durable?"]) + _BODY, id="a header field of the wrong type"),
        pytest.param(section(0x10, []) + _BODY, id="an unknown section"),
        pytest.param(_BODY + b"\x00", id="a section cut off"),
        pytest.param(b"\xa0\x01x", id="no section"),
    ],
)
def test_messages_that_no_consumer_could_read_are_refused(message: bytes) -> None:
    with pytest.raises(errors.MalformedMessageError):
        sections.parse(message)
