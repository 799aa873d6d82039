"""A received Service Bus message as the Functions SDK's converter wants it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from azure.functions import meta
from azure.functions import servicebus as sdk_service_bus
from azure.servicebus import ServiceBusReceivedMessage


def bind(message: ServiceBusReceivedMessage) -> sdk_service_bus.ServiceBusMessage:
    """Through the SDK's converter, with the trigger metadata that the real host sends."""
    return sdk_service_bus.ServiceBusMessageInConverter.decode_single_message(
        meta.Datum(body(message), "bytes"), trigger_metadata=trigger_metadata(message)
    )


def body(message: ServiceBusReceivedMessage) -> bytes:
    """The bytes of a data body; a string body is what Service Bus Explorer and .NET's old client send."""
    content = message.body
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, bytes):
        return content
    return b"".join(part if isinstance(part, bytes) else str(part).encode() for part in content)


def properties(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    """Application properties as JSON values; the AMQP client hands out their keys and strings as bytes."""
    return {str(_plain(key)): _plain(value) for key, value in (message.application_properties or {}).items()}


def trigger_metadata(message: ServiceBusReceivedMessage) -> Mapping[str, meta.Datum]:
    """TimeToLive is left out: the converter fails on spans of a day or longer."""
    user = properties(message)
    dead_letter = {
        "DeadLetterSource": message.dead_letter_source,
        "DeadLetterReason": user.get("DeadLetterReason"),
        "DeadLetterErrorDescription": user.get("DeadLetterErrorDescription"),
    }
    texts = {
        "MessageId": message.message_id,
        "CorrelationId": message.correlation_id,
        "ContentType": message.content_type,
        "Subject": message.subject,
        "Label": message.subject,
        "To": message.to,
        "ReplyTo": message.reply_to,
        "PartitionKey": message.partition_key,
        "LockToken": str(message.lock_token) if message.lock_token else None,
        "EnqueuedTimeUtc": _utc(message.enqueued_time_utc),
        "ExpiresAtUtc": _utc(message.expires_at_utc),
        "LockedUntil": _utc(message.locked_until_utc),
        **dead_letter,
    }
    values = {
        # Without UserProperties the converter does not know the message for a single one.
        "UserProperties": user,
        "ApplicationProperties": user,
        # .NET counts deliveries from 1, the AMQP header the failed ones from 0.
        "DeliveryCount": (message.delivery_count or 0) + 1,
        "SequenceNumber": message.sequence_number,
        "EnqueuedSequenceNumber": message.enqueued_sequence_number,
    }
    strings = {
        name: meta.Datum(str(_plain(text)), "string") for name, text in texts.items() if text is not None
    }
    return strings | {
        name: meta.Datum(json.dumps(value), "json") for name, value in values.items() if value is not None
    }


def trace_parent(message: ServiceBusReceivedMessage) -> str | None:
    """The sender's trace, under the name that the Azure SDKs write."""
    found = properties(message).get("Diagnostic-Id")
    return found if isinstance(found, str) else None


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if value is None or isinstance(value, bool | int | float):
        return value
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _utc(moment: datetime | None) -> str | None:
    # One of the few shapes that the converter can read back.
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None
