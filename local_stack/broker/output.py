"""What a connection still has to send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Output:
    """Gathers what one pass of the event loop has to say into one write; knows when a client lags behind."""

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        limit_bytes: int,
        on_room: Callable[[], None],
        call_soon: Callable[[Callable[[], None]], object],
    ) -> None:
        """`call_soon` runs `flush` when the present pass has said what it has to say."""
        self._transport = transport
        self._limit_bytes = limit_bytes
        self._on_room = on_room
        self._call_soon = call_soon
        self._parts: list[bytes] = []
        self._bytes = 0
        self._is_paused = False
        transport.set_write_buffer_limits(high=limit_bytes)

    @property
    def is_congested(self) -> bool:
        """Whether the client must first read what it has been sent."""
        return self._is_paused or self._bytes > self._limit_bytes

    @property
    def is_empty(self) -> bool:
        return not self._parts

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._call_soon(self.flush)
        self._parts.append(data)
        self._bytes += len(data)

    def flush(self) -> None:
        was_congested = self.is_congested
        data, self._parts, self._bytes = b"".join(self._parts), [], 0
        if data and not self._transport.is_closing():
            self._transport.write(data)
        if was_congested and not self.is_congested:
            self._on_room()

    def pause(self) -> None:
        """The transport's buffer is full: a client that does not read is not read either."""
        self._is_paused = True
        self._transport.pause_reading()

    def resume(self) -> None:
        self._is_paused = False
        if not self._transport.is_closing():
            self._transport.resume_reading()
        self._on_room()
