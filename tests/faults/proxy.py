"""A TCP proxy that delays, stalls and cuts connections: what it does to each follows from a seed.

A stream of bytes cannot be heard twice. What makes a server hear something twice is an answer that is lost:
the client says it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_PIECE_BYTES: Final = 64 * 1024
_START_SECONDS: Final = 10.0
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER, on, 0 s: closing throws away what is unsent and sends RST."""


class Kind(StrEnum):
    """What may happen to a connection."""

    NOTHING = "nothing"
    DELAY = "delay"
    """Every piece comes later."""
    STALL = "stall"
    """Once, nothing passes for a while, in neither direction."""
    RESET = "reset"
    """Cut with RST, as by a crash; in the middle of whatever was being said."""
    FINISH = "finish"
    """Cut with FIN, as by a restart; in the middle of whatever was being said."""
    UNANSWERED = "unanswered"
    """The server has heard and answers, and the connection is cut before the answer comes."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to one connection."""

    kind: Kind
    after_bytes: int = 0
    """Of both directions together; for stalls and cuts."""
    seconds: float = 0.0
    """Of the stall, or by which each piece is late."""


@dataclass(frozen=True, kw_only=True)
class Weather:
    """How bad it is."""

    shares: Mapping[Kind, float] = field(
        default_factory=lambda: MappingProxyType(
            {
                Kind.NOTHING: 0.3,
                Kind.DELAY: 0.2,
                Kind.STALL: 0.1,
                Kind.RESET: 0.15,
                Kind.FINISH: 0.15,
                Kind.UNANSWERED: 0.1,
            }
        )
    )
    """Weights of what happens."""
    least_bytes: int = 0
    most_bytes: int = 60_000
    longest_delay_seconds: float = 0.02
    longest_stall_seconds: float = 2.0

    def fault_of(self, seed: int, connection: int) -> Fault:
        """The same for the same seed and number."""
        chance = random.Random(f"{seed}:{connection}")
        kind = chance.choices([*self.shares], weights=[*self.shares.values()])[0]
        after_bytes = chance.randint(self.least_bytes, self.most_bytes)
        longest = self.longest_delay_seconds if kind is Kind.DELAY else self.longest_stall_seconds
        return Fault(kind=kind, after_bytes=after_bytes, seconds=chance.uniform(0, longest))


CALM: Final = Weather(shares=MappingProxyType({Kind.NOTHING: 1.0}))


class _CutError(Exception):
    """The connection has reached the point at which it is cut."""


class Proxy:
    """In front of one port of this machine. For one event loop."""

    def __init__(self, upstream_port: int, *, seed: int, weather: Weather) -> None:
        self.port = 0
        self.connections = 0
        self.made: Counter[Kind] = Counter()
        """Faults that really came to pass: a connection may end before its time."""
        self._upstream_port = upstream_port
        self._seed = seed
        self._weather = weather
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self, port: int = 0) -> None:
        """Listen, on a free port unless one is given."""
        self._server = await asyncio.start_server(self._serve, LOOPBACK, port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Every connection cut, and the port free."""
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._open):
            _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self._weather.fault_of(self._seed, self.connections)
        self.connections += 1
        self._open.add(writer)
        try:
            upstream = await asyncio.open_connection(LOOPBACK, self._upstream_port)
        except OSError:
            _reset(writer)  # who connects to a dead server hears so at once
        else:
            self._open.add(upstream[1])
            connection = _Connection(fault, self.made)
            await connection.run((reader, writer), upstream)
            self._open.discard(upstream[1])
        finally:
            self._open.discard(writer)


_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Connection:
    """One connection and what happens to it."""

    def __init__(self, fault: Fault, made: Counter[Kind]) -> None:
        self._fault = fault
        self._made = made
        self._bytes = 0
        self._stalled: asyncio.Task[None] | None = None

    async def run(self, client: _Streams, upstream: _Streams) -> None:
        """Until both sides are closed or it is cut."""
        ways = [
            asyncio.ensure_future(self._pump(client[0], upstream[1], is_answer=False)),
            asyncio.ensure_future(self._pump(upstream[0], client[1], is_answer=True)),
        ]
        try:
            await asyncio.gather(*ways)
        except (_CutError, OSError):
            end = _reset if self._fault.kind is Kind.RESET else _finish
            end(client[1])
            end(upstream[1])
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            _finish(client[1])
            _finish(upstream[1])

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        while piece := await reader.read(_PIECE_BYTES):
            passing = await self._disturb(piece, is_answer=is_answer)
            writer.write(passing)
            await writer.drain()
            if len(passing) < len(piece):
                self._made[self._fault.kind] += 1
                raise _CutError
        if writer.can_write_eof():
            writer.write_eof()

    async def _disturb(self, piece: bytes, *, is_answer: bool) -> bytes:
        """What of the piece passes, once it may."""
        before, self._bytes = self._bytes, self._bytes + len(piece)
        match self._fault.kind:
            case Kind.DELAY:
                self._made[Kind.DELAY] += before == 0
                await asyncio.sleep(self._fault.seconds)
            case Kind.STALL if self._bytes > self._fault.after_bytes:
                await self._stall()
            case Kind.RESET | Kind.FINISH if self._bytes > self._fault.after_bytes:
                return piece[: max(0, self._fault.after_bytes - before)]
            case Kind.UNANSWERED if is_answer and self._bytes > self._fault.after_bytes:
                return b""
        return piece

    async def _stall(self) -> None:
        """Both directions wait for the same end."""
        if self._stalled is None:
            self._made[Kind.STALL] += 1
            self._stalled = asyncio.ensure_future(asyncio.sleep(self._fault.seconds))
        await asyncio.shield(self._stalled)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


def _finish(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        writer.close()


@contextlib.contextmanager
def running(upstream_port: int, *, seed: int, weather: Weather) -> Iterator[Proxy]:
    """A proxy in a thread of its own, for tests that are not asynchronous."""
    with running_all({"only": upstream_port}, seed=seed, weather_of=lambda _name: weather) as proxies:
        yield proxies["only"]


@contextlib.contextmanager
def running_all(
    upstream_ports: Mapping[str, int], *, seed: int, weather_of: Callable[[str], Weather]
) -> Iterator[Mapping[str, Proxy]]:
    """A proxy before each port, all in one thread; by the names that the ports have."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxies", daemon=True)
    thread.start()
    proxies = {
        name: Proxy(port, seed=seed + number, weather=weather_of(name))
        for number, (name, port) in enumerate(upstream_ports.items())
    }

    async def start() -> None:
        for each in proxies.values():
            await each.start()

    async def stop() -> None:
        for each in proxies.values():
            await each.stop()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    try:
        asyncio.run_coroutine_threadsafe(start(), loop).result(_START_SECONDS)
        yield proxies
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(_START_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
