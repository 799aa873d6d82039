"""AMQP frames and protocol headers (part 2, sections 2.2 and 2.3)."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from local_stack.broker import errors, performatives

AMQP_HEADER: Final = b"AMQP\x00\x01\x00\x00"
SASL_HEADER: Final = b"AMQP\x03\x01\x00\x00"
HEADER_BYTES: Final = 8
AMQP_FRAME: Final = 0
SASL_FRAME: Final = 1
EMPTY: Final = b"\x00\x00\x00\x08\x02\x00\x00\x00"

_HEAD = struct.Struct(">IBBH")


class Frame(NamedTuple):
    """An empty body is a heartbeat."""

    kind: int
    channel: int
    body: bytes


class FrameBuffer:
    """Takes bytes as they come, gives back protocol headers and whole frames of at most `max_frame_bytes`."""

    def __init__(self, *, max_frame_bytes: int) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._buffer = bytearray()
        self._start = 0

    def feed(self, data: bytes) -> None:
        if self._start:
            del self._buffer[: self._start]
            self._start = 0
        self._buffer += data

    def take_header(self) -> bytes | None:
        """Return the 8 bytes of a protocol header once they are there."""
        if len(self._buffer) - self._start < HEADER_BYTES:
            return None
        header = bytes(self._buffer[self._start : self._start + HEADER_BYTES])
        self._start += HEADER_BYTES
        return header

    def take_frame(self) -> Frame | None:
        """Return the next whole frame; raise FramingError when the bytes can never be one."""
        available = len(self._buffer) - self._start
        if available < HEADER_BYTES:
            return None
        size, data_offset, kind, channel = _HEAD.unpack_from(self._buffer, self._start)
        self._check(size, data_offset, kind)
        if available < size:
            return None
        body = bytes(self._buffer[self._start + 4 * data_offset : self._start + size])
        self._start += size
        return Frame(kind, channel, body)

    def _check(self, size: int, data_offset: int, kind: int) -> None:
        if size > self._max_frame_bytes:
            raise errors.FramingError(f"A frame of {size} bytes is larger than {self._max_frame_bytes}.")
        if data_offset < 2 or 4 * data_offset > size:
            raise errors.FramingError("The data offset of a frame lies outside the frame.")
        if kind not in (AMQP_FRAME, SASL_FRAME):
            raise errors.FramingError(f"{kind} is no frame type.")


def encode(
    channel: int, performative: performatives.Performative, payload: bytes = b"", kind: int = AMQP_FRAME
) -> bytes:
    return assemble(channel, performatives.encode(performative), payload, kind)


def assemble(channel: int, body: bytes, payload: bytes = b"", kind: int = AMQP_FRAME) -> bytes:
    """Put a head before an encoded performative and what follows it."""
    return _HEAD.pack(HEADER_BYTES + len(body) + len(payload), 2, kind, channel) + body + payload
