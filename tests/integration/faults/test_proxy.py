"""The proxy disturbs real connections in each of its ways, and otherwise lets everything through."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from types import MappingProxyType

import pytest

from tests.faults import proxy


@contextlib.asynccontextmanager
async def _echo() -> AsyncIterator[int]:
    """The port of a server that says back what it hears."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(4096):
                writer.write(piece)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextlib.asynccontextmanager
async def _proxied(
    kind: proxy.Kind, *, least_bytes: int = 0, most_bytes: int = 0, seconds: float = 0.0
) -> AsyncIterator[tuple[proxy.Proxy, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the echo, through a proxy with one kind of weather."""
    weather = proxy.Weather(
        shares=MappingProxyType({kind: 1.0}),
        least_bytes=least_bytes,
        most_bytes=most_bytes,
        longest_delay_seconds=seconds,
        longest_stall_seconds=seconds,
    )
    async with _echo() as port:
        between = proxy.Proxy(port, seed=1, weather=weather)
        await between.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", between.port)
        try:
            yield between, reader, writer
        finally:
            writer.close()
            await between.stop()


async def _say(writer: asyncio.StreamWriter, reader: asyncio.StreamReader, text: bytes) -> bytes:
    writer.write(text)
    await writer.drain()
    async with asyncio.timeout(10):
        return await reader.readexactly(len(text))


async def test_calm_weather_changes_nothing() -> None:
    async with _proxied(proxy.Kind.NOTHING) as (between, reader, writer):
        text = bytes(range(256)) * 1000
        assert await _say(writer, reader, text) == text
        writer.write_eof()
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        assert not between.made


async def test_reset_comes_in_the_middle_of_a_word() -> None:
    async with _proxied(proxy.Kind.RESET, least_bytes=7, most_bytes=7) as (between, reader, writer):
        assert await _say(writer, reader, b"abc") == b"abc"
        writer.write(b"def")
        with pytest.raises(ConnectionResetError):
            async with asyncio.timeout(10):
                await reader.read()
        assert between.made == {proxy.Kind.RESET: 1}


async def test_end_comes_in_the_middle_of_a_word() -> None:
    async with _proxied(proxy.Kind.FINISH, least_bytes=8, most_bytes=8) as (between, reader, writer):
        writer.write(b"abcde")
        async with asyncio.timeout(10):
            assert await reader.read() == b"abc"
        assert between.made == {proxy.Kind.FINISH: 1}


async def test_what_the_server_has_heard_is_not_answered() -> None:
    async with _proxied(proxy.Kind.UNANSWERED, least_bytes=7, most_bytes=7) as (between, reader, writer):
        assert await _say(writer, reader, b"abc") == b"abc"
        writer.write(b"def")
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        assert between.made == {proxy.Kind.UNANSWERED: 1}


async def test_stall_holds_everything_back_once_and_loses_nothing() -> None:
    async with _proxied(proxy.Kind.STALL, seconds=6.0) as (between, reader, writer):
        began = time.monotonic()
        stall = between._weather.fault_of(1, 0).seconds
        assert await _say(writer, reader, b"abc") == b"abc"
        assert stall <= time.monotonic() - began
        began = time.monotonic()
        assert await _say(writer, reader, b"abc") == b"abc"
        assert time.monotonic() - began < stall
        assert between.made == {proxy.Kind.STALL: 1}


async def test_delay_makes_every_piece_late() -> None:
    async with _proxied(proxy.Kind.DELAY, seconds=0.3) as (between, reader, writer):
        delay = between._weather.fault_of(1, 0).seconds
        for _ in range(2):
            began = time.monotonic()
            assert await _say(writer, reader, b"abc") == b"abc"
            assert time.monotonic() - began >= 2 * delay


async def test_who_connects_to_a_dead_server_hears_so() -> None:
    async with _echo() as port:
        pass
    between = proxy.Proxy(port, seed=1, weather=proxy.CALM)
    await between.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", between.port)
    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(10):
            await reader.read()
    writer.close()
    await between.stop()
