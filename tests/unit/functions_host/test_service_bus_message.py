"""A received message reaches the function as the real host hands it over."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from azure.servicebus import ServiceBusReceivedMessage

from local_stack.functions_host import service_bus_message

TOKEN = uuid.UUID(int=1)
NOON = datetime(2026, 11, 20, 12, 0, 0, 250000, tzinfo=UTC)


@dataclass(kw_only=True)
class Received:
    """The properties of the SDK's message, which only a broker can make."""

    body: Any = b"hello"
    message_id: str | None = "m-1"
    correlation_id: str | None = None
    content_type: str | None = "application/json"
    subject: str | None = None
    to: str | None = None
    reply_to: str | None = None
    partition_key: str | None = None
    lock_token: uuid.UUID | None = TOKEN
    enqueued_time_utc: datetime | None = NOON
    expires_at_utc: datetime | None = None
    locked_until_utc: datetime | None = NOON
    dead_letter_source: str | None = None
    delivery_count: int | None = 0
    sequence_number: int | None = 7
    enqueued_sequence_number: int | None = 7
    application_properties: dict[Any, Any] | None = field(default_factory=dict)


def received(**values: Any) -> ServiceBusReceivedMessage:
    return cast("ServiceBusReceivedMessage", Received(**values))


def test_standard_properties_arrive() -> None:
    message = service_bus_message.bind(received(delivery_count=2))
    assert message.get_body() == b"hello"
    assert (message.message_id, message.content_type) == ("m-1", "application/json")
    # The header counts failed deliveries, .NET all of them.
    assert message.delivery_count == 3
    assert (message.sequence_number, message.lock_token) == (7, str(TOKEN))
    assert message.enqueued_time_utc == NOON
    assert message.expires_at_utc is None


def test_application_properties_are_decoded_texts_and_numbers() -> None:
    raw = {b"text": "é".encode(), "number": 3, b"flag": True, "when": NOON, "id": uuid.UUID(int=2)}
    message = service_bus_message.bind(received(application_properties=raw))
    expected = {
        "text": "é",
        "number": 3,
        "flag": True,
        "when": NOON.isoformat(),
        "id": str(uuid.UUID(int=2)),
    }
    assert message.application_properties == expected
    assert message.user_properties == expected


def test_dead_letter_tells_its_reason() -> None:
    raw = {b"DeadLetterReason": b"TTLExpiredException", b"DeadLetterErrorDescription": b"too old"}
    message = service_bus_message.bind(received(application_properties=raw, dead_letter_source="work"))
    assert message.dead_letter_reason == "TTLExpiredException"
    assert message.dead_letter_error_description == "too old"
    assert message.dead_letter_source == "work"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # data sections, one or several
        (iter([b"a", b"b"]), b"ab"),
        # a value body: what other clients send
        ("é", "é".encode()),
        (b"\xff", b"\xff"),
    ],
)
def test_body_is_bytes(body: Any, expected: bytes) -> None:
    assert service_bus_message.bind(received(body=body)).get_body() == expected


def test_message_without_properties_is_still_a_message() -> None:
    message = service_bus_message.bind(received(application_properties=None, message_id=None))
    assert message.application_properties == {}
    assert not message.message_id


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({b"Diagnostic-Id": b"00-a-b-01"}, "00-a-b-01"),
        ({"traceparent": "00-a-b-01"}, None),
        (None, None),
    ],
)
def test_sender_s_trace_is_found(properties: dict[Any, Any] | None, expected: str | None) -> None:
    assert service_bus_message.trace_parent(received(application_properties=properties)) == expected
