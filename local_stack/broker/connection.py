"""One client's connection: headers, SASL, frames. Whatever goes wrong ends this connection alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final
from uuid import uuid4

import structlog

from local_stack.broker import errors, frames, output, performatives, sasl, sessions, settings, states

if TYPE_CHECKING:
    from local_stack.broker import namespace, server

log = structlog.get_logger()

_CHANNEL_MAX: Final = 255
# Clients send a heartbeat after half of this, but only when something calls them: told, not enforced.
_IDLE_TIME_OUT_MS: Final = 240_000
_SMALLEST_FRAME_BYTES: Final = 512
_PARTIAL_DELIVERIES: Final = 8
# How long a closing connection is still read: unread input would drop our close frame on its way.
_LINGER_SECONDS: Final = 2.0


class Stage(StrEnum):
    HEADER = "header"
    SASL = "sasl"
    AMQP_HEADER = "amqp_header"
    FRAMES = "frames"
    CLOSING = "closing"


class Connection(asyncio.Protocol):
    def __init__(self, owner: server.Server) -> None:
        self.namespace: namespace.Namespace = owner.namespace
        self.settings: settings.Settings = owner.settings
        self.peer_max_frame_bytes = _SMALLEST_FRAME_BYTES
        self.name = uuid4().hex[:8]
        self._owner = owner
        self._stage = Stage.HEADER
        self._is_open = False
        self._has_sent_open = False
        self._buffer = frames.FrameBuffer(max_frame_bytes=owner.settings.max_frame_bytes)
        self._sessions: dict[int, sessions.Session] = {}
        self._partial_bytes = 0
        self._output: output.Output | None = None
        self._transport: asyncio.Transport | None = None
        self._handshake: asyncio.TimerHandle | None = None

    # The transport's calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("A connection needs a stream.")
        self._transport = transport
        self._output = output.Output(
            transport,
            limit_bytes=self.settings.max_output_bytes,
            on_room=self._recover,
            call_soon=self.namespace.call_after_telling,
        )
        loop = asyncio.get_running_loop()
        self._handshake = loop.call_later(self.settings.handshake_seconds, self._give_up_handshake)
        self._owner.add(self)

    def _give_up_handshake(self) -> None:
        if not self._is_open and self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._stage is Stage.CLOSING:
            return
        self._buffer.feed(data)
        self._process()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = self._output = None
        self._stage = Stage.CLOSING
        if self._handshake is not None:
            self._handshake.cancel()
        self._end_sessions()
        self._owner.remove(self)

    def pause_writing(self) -> None:
        if self._output is not None:
            self._output.pause()

    def resume_writing(self) -> None:
        if self._output is not None:
            self._output.resume()

    def _recover(self) -> None:
        for session in self._sessions.values():
            session.wake()
        self._process()

    @property
    def is_congested(self) -> bool:
        return self._output is not None and self._output.is_congested

    # Bytes to frames.

    def _process(self) -> None:
        """Handle what has come in whole. Never raises: every failure closes this connection."""
        try:
            while not self.is_congested and self._STAGES[self._stage](self):
                pass
        except errors.ConnectionFailedError as failure:
            self._fail(failure)
        except Exception:  # a mistake of ours must not end the broker
            log.exception("connection_handler_failed", connection=self.name)
            self._fail(errors.ConnectionFailedError("The broker failed."))

    def _take_header(self) -> bool:
        header = self._buffer.take_header()
        if header is None:
            return False
        if header == frames.SASL_HEADER and self._stage is Stage.HEADER:
            self._stage = Stage.SASL
            self._write(sasl.OFFER)
        elif header == frames.AMQP_HEADER:
            self._stage = Stage.FRAMES
            self._write(frames.AMQP_HEADER)
        else:
            # The protocol's way to say which protocol is spoken here.
            self._write(frames.AMQP_HEADER)
            log.warning("connection_failed", connection=self.name, code="protocol_header")
            self._close_soon()
        return True

    def _take_sasl(self) -> bool:
        frame = self._buffer.take_frame()
        if frame is None:
            return False
        outcome, is_welcome = sasl.answer(frame)
        self._write(outcome)
        self._stage = Stage.AMQP_HEADER
        if not is_welcome:
            self._close_soon()
        return True

    def _take_frame(self) -> bool:
        frame = self._buffer.take_frame()
        if frame is None:
            return False
        if frame.kind != frames.AMQP_FRAME:
            raise errors.IllegalFrameError("A SASL frame has no place here.")
        if frame.body:
            performative, end = performatives.decode(frame.body)
            self._handle(frame.channel, performative, frame.body[end:])
        return True

    def _ignore(self) -> bool:
        return False

    # Frames to actions.

    def _handle(self, channel: int, performative: performatives.Performative, payload: bytes) -> None:
        if not self._is_open and not isinstance(performative, performatives.Open):
            raise errors.IllegalFrameError("The first frame must be open.")
        handler = self._HANDLERS.get(type(performative))
        if handler is not None:
            handler(self, channel, performative)
            return
        session = self._sessions.get(channel)
        if session is not None:
            session.handle(performative, payload)
        elif isinstance(performative, performatives.Attach | performatives.Transfer):
            raise errors.IllegalFrameError(f"Channel {channel} has no session.")
        # Else: the clients detach links after they have ended their session.

    def _on_open(self, _channel: int, opened: performatives.Open) -> None:
        if self._is_open:
            raise errors.IllegalFrameError("The connection is open already.")
        announced = self.settings.max_frame_bytes if opened.max_frame_size is None else opened.max_frame_size
        if announced < _SMALLEST_FRAME_BYTES:
            raise errors.IllegalFrameError(f"max-frame-size is below {_SMALLEST_FRAME_BYTES}.")
        self._owner.check_connections()
        self.peer_max_frame_bytes = min(announced, self.settings.max_frame_bytes)
        self._is_open = True
        self._send_open()

    def _send_open(self) -> None:
        self._has_sent_open = True
        self.send(
            0,
            performatives.Open(
                container_id=self._owner.container_id,
                max_frame_size=self.settings.max_frame_bytes,
                channel_max=_CHANNEL_MAX,
                idle_time_out=_IDLE_TIME_OUT_MS,
            ),
        )

    def _on_begin(self, channel: int, begin: performatives.Begin) -> None:
        if channel in self._sessions or channel > _CHANNEL_MAX:
            raise errors.IllegalFrameError(f"Channel {channel} cannot be begun.")
        session = self._sessions[channel] = sessions.Session(self, channel, begin)
        session.begun()

    def _on_end(self, channel: int, _end: performatives.End) -> None:
        session = self._sessions.pop(channel, None)
        if session is not None:
            session.ended()
            self.send(channel, performatives.End())

    def _on_close(self, _channel: int, _close: performatives.Close) -> None:
        self._end_sessions()
        self.send(0, performatives.Close())
        self._flush()
        self._stage = Stage.CLOSING
        if self._transport is not None:
            self._transport.close()

    def _end_sessions(self) -> None:
        for session in self._sessions.values():
            session.ended()
        self._sessions.clear()

    # Limits.

    def check_links(self) -> None:
        """Raise LinkLimitError when no link more is allowed."""
        if (
            sum(session.link_count for session in self._sessions.values())
            >= self.settings.max_links_per_connection
        ):
            raise errors.LinkLimitError(
                f"A connection may have {self.settings.max_links_per_connection} links; open another one."
            )

    def hold_partial(self, count: int) -> None:
        """Count bytes of unfinished deliveries; a client that begins many and ends none is cut off."""
        self._partial_bytes += count
        if self._partial_bytes > _PARTIAL_DELIVERIES * self.settings.max_message_bytes:
            raise errors.ConnectionLimitError("Too many deliveries were begun and not finished.")

    # Frames out.

    def send(self, channel: int, performative: performatives.Performative) -> None:
        self.send_encoded(channel, performatives.encode(performative))

    def send_encoded(self, channel: int, body: bytes, payload: bytes = b"") -> None:
        """Send a performative that is encoded already."""
        self._write(frames.assemble(channel, body, payload))

    def heartbeat(self) -> None:
        if self._is_open and self._output is not None and self._output.is_empty:
            self._write(frames.EMPTY)

    def _write(self, data: bytes) -> None:
        if self._output is not None and self._stage is not Stage.CLOSING:
            self._output.write(data)

    def _flush(self) -> None:
        if self._output is not None:
            self._output.flush()

    # The end.

    def _fail(self, failure: errors.ConnectionFailedError) -> None:
        log.warning("connection_failed", connection=self.name, code=failure.code, reason=str(failure))
        self.close(failure)

    def close(self, failure: errors.AmqpError) -> None:
        """Say why, and close once the client has had time to read it."""
        self._end_sessions()
        if self._stage is Stage.FRAMES:
            if not self._has_sent_open:
                self._send_open()
            self.send(0, performatives.Close(error=states.error(failure)))
        self._close_soon()

    def _close_soon(self) -> None:
        self._flush()
        self._stage = Stage.CLOSING
        if self._transport is not None:
            asyncio.get_running_loop().call_later(_LINGER_SECONDS, self._transport.abort)

    _STAGES: ClassVar[dict[Stage, Callable[[Connection], bool]]] = {
        Stage.HEADER: _take_header,
        Stage.SASL: _take_sasl,
        Stage.AMQP_HEADER: _take_header,
        Stage.FRAMES: _take_frame,
        Stage.CLOSING: _ignore,
    }
    _HANDLERS: ClassVar[dict[type, Callable[[Connection, int, Any], None]]] = {
        performatives.Open: _on_open,
        performatives.Begin: _on_begin,
        performatives.End: _on_end,
        performatives.Close: _on_close,
    }
