"""One message as a queue holds it, and as a consumer or a browser sees it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from local_stack.broker import decoder, encoder, sections, values

_SEQUENCE_NUMBER: Final = values.Symbol("x-opt-sequence-number")
_ENQUEUED_TIME: Final = values.Symbol("x-opt-enqueued-time")
_LOCKED_UNTIL: Final = values.Symbol("x-opt-locked-until")
_ENQUEUE_SEQUENCE_NUMBER: Final = values.Symbol("x-opt-enqueue-sequence-number")
_DEAD_LETTER_SOURCE: Final = values.Symbol("x-opt-deadletter-source")
_MESSAGE_STATE: Final = values.Symbol("x-opt-message-state")
SCHEDULED_TIME: Final = values.Symbol("x-opt-scheduled-enqueue-time")
# What a message without content takes in memory and file; queues are limited by their size, content or not.
OVERHEAD_BYTES: Final = 512
DEAD_LETTER_REASON: Final = "DeadLetterReason"
DEAD_LETTER_DESCRIPTION: Final = "DeadLetterErrorDescription"


class Status(StrEnum):
    READY = "ready"
    LOCKED = "locked"
    SCHEDULED = "scheduled"


# x-opt-message-state of a browsed message; a locked one is active.
_STATES: Final = {Status.READY: values.Int(0), Status.LOCKED: values.Int(0), Status.SCHEDULED: values.Int(2)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    token: UUID
    until_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """Why a message was put aside, and from which queue."""

    reason: str
    description: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What the sender said that is not in the bare message; `annotations` is an encoded map or None."""

    durable: bool | None
    priority: int | None
    ttl_ms: int | None
    annotations: bytes | None
    bare_bytes: int

    @property
    def size_bytes(self) -> int:
        """What the message counts for against the limit of its queue."""
        return OVERHEAD_BYTES + len(self.annotations or b"") + self.bare_bytes


@dataclass(kw_only=True, slots=True, eq=False)
class Entry:
    """A message and where it stands. `bare` is None while only the file holds it."""

    sequence: int
    content: Content
    bare: bytes | None
    enqueued_ms: int
    scheduled_ms: int | None = None
    expires_ms: int | None = None
    status: Status = Status.READY
    delivery_count: int = 0
    lock: Lock | None = None
    dead_letter: DeadLetter | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A message on its way to a consumer; without a lock it is already gone from the queue."""

    message: bytes
    token: UUID


def content_of(message: sections.Parsed) -> Content:
    return Content(
        durable=message.durable,
        priority=message.priority,
        ttl_ms=message.ttl_ms,
        annotations=encoder.encode(message.annotations) if message.annotations else None,
        bare_bytes=len(message.bare),
    )


def from_row(row: sqlite3.Row, bare: bytes | None) -> Entry:
    """Rebuild an entry from its row in `messages`, joined with `locks`."""
    lock = None if row["token"] is None else Lock(token=UUID(bytes=row["token"]), until_ms=row["until_ms"])
    return Entry(
        sequence=row["sequence"],
        content=Content(
            durable=None if row["durable"] is None else bool(row["durable"]),
            priority=row["priority"],
            ttl_ms=row["ttl_ms"],
            annotations=row["annotations"],
            bare_bytes=row["bare_bytes"],
        ),
        bare=bare,
        enqueued_ms=row["enqueued_ms"],
        scheduled_ms=row["scheduled_ms"],
        expires_ms=row["expires_ms"],
        status=_status(row, lock),
        delivery_count=row["delivery_count"],
        lock=lock,
        dead_letter=_dead_letter(row),
    )


def _status(row: sqlite3.Row, lock: Lock | None) -> Status:
    if lock is not None:
        return Status.LOCKED
    return Status.READY if row["scheduled_ms"] is None else Status.SCHEDULED


def _dead_letter(row: sqlite3.Row) -> DeadLetter | None:
    if row["dead_letter_source"] is None:
        return None
    return DeadLetter(
        reason=row["dead_letter_reason"],
        description=row["dead_letter_description"],
        source=row["dead_letter_source"],
    )


def row_of(entry: Entry, queue: str) -> tuple[Any, ...]:
    """The columns of `messages` for a message that was just sent."""
    content = entry.content
    return (
        entry.sequence,
        queue,
        entry.scheduled_ms,
        entry.enqueued_ms,
        entry.expires_ms,
        entry.delivery_count,
        None,
        None,
        None,
        content.durable,
        content.priority,
        content.ttl_ms,
        content.annotations,
        entry.bare,
    )


def received(entry: Entry, bare: bytes) -> bytes:
    """The message as a consumer gets it."""
    own: dict[Any, Any] = {} if entry.lock is None else {_LOCKED_UNTIL: values.Timestamp(entry.lock.until_ms)}
    return _render(entry, bare, own)


def browsed(entry: Entry, bare: bytes) -> bytes:
    """The message as peek shows it."""
    return _render(entry, bare, {_MESSAGE_STATE: _STATES[entry.status]})


def _render(entry: Entry, bare: bytes, own: dict[Any, Any]) -> bytes:
    annotations = decoder.decode_all(entry.content.annotations) if entry.content.annotations else {}
    annotations[_SEQUENCE_NUMBER] = values.Long(entry.sequence)
    annotations[_ENQUEUED_TIME] = values.Timestamp(entry.enqueued_ms)
    annotations[_ENQUEUE_SEQUENCE_NUMBER] = values.Long(entry.sequence)
    annotations.update(own)
    if entry.dead_letter is not None:
        annotations[_DEAD_LETTER_SOURCE] = entry.dead_letter.source
        bare = sections.with_application_properties(
            bare,
            {
                DEAD_LETTER_REASON: entry.dead_letter.reason,
                DEAD_LETTER_DESCRIPTION: entry.dead_letter.description,
            },
        )
    header = sections.header(
        durable=entry.content.durable,
        priority=entry.content.priority,
        ttl_ms=entry.content.ttl_ms,
        delivery_count=entry.delivery_count,
    )
    return header + sections.message_annotations(annotations) + bare


def identity(message_id: Any) -> str | None:
    """A message id as one string, its type included: the number 1 and the text "1" are two ids."""
    if message_id is None:
        return None
    return (
        message_id
        if isinstance(message_id, str)
        else json.dumps([type(message_id).__name__, str(message_id)])
    )
