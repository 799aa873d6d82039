"""The turns of a broker: what follows when the file refuses one, and how much one hands out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from local_stack.broker import configuration, dispatch, encoder, entries, errors, journal, namespace, sections
from local_stack.broker import store as stores

_PAUSE_SECONDS = 0.1
_PATIENCE_SECONDS = 10.0


class UnsteadyStore(stores.Store):
    """Refuses as many commits, or reads of bodies, as it is told to."""

    refusals = 0
    unreadable = 0
    commits = 0

    def commit(self, statements: Sequence[journal.Statement]) -> None:
        self.commits += 1
        if self.refusals > 0:
            self.refusals -= 1
            raise errors.StoreError
        super().commit(statements)

    def bare(self, sequence: int) -> bytes:
        if self.unreadable > 0:
            self.unreadable -= 1
            raise OSError("the disk does not answer")
        return super().bare(sequence)


class Consumer:
    """Takes as much as it has credit for, and waits again when a turn was refused, as links do."""

    deletes = False

    def __init__(self, space: namespace.Namespace, dispatcher: dispatch.Dispatcher, *, credit: int) -> None:
        self.received: list[bytes] = []
        self.turns: list[int] = []
        self._space = space
        self._dispatcher = dispatcher
        self._credit = credit

    def can_take(self) -> bool:
        return self._credit > 0

    def wait(self) -> None:
        self._dispatcher.wait(self)
        self._space.request_turn()

    def deliver(self, delivery: entries.Delivery) -> None:
        self._credit -= 1
        self._space.journal.on_failure(self._take_credit_back)
        self._space.journal.then(lambda: self.received.append(delivery.message), lambda _failure: self.wait())

    def _take_credit_back(self) -> None:
        self._credit += 1

    def finish_drain(self) -> None:
        """Never asked for."""


class World:
    def __init__(self, directory: Path, *, body_memory_bytes: int = 1 << 20) -> None:
        self.store = UnsteadyStore(directory / "broker.sqlite3")
        self.space = namespace.Namespace(
            [configuration.Queue(name="work")],
            self.store,
            max_queue_bytes=1 << 30,
            body_memory_bytes=body_memory_bytes,
            store_pause_seconds=_PAUSE_SECONDS,
        )
        self.dispatcher = self.space.find("work")

    async def send(self, *bodies: bytes) -> None:
        for body in bodies:
            message = sections.parse(encoder.described(0x75, encoder.encode(body)))
            self.dispatcher.queue.send(message, self.space.now_ms())
        await until(lambda: not self.space.journal.statements)

    def consumer(self, *, credit: int) -> Consumer:
        consumer = Consumer(self.space, self.dispatcher, credit=credit)
        consumer.wait()
        return consumer


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 # conditions of things that know no events
            await asyncio.sleep(0.005)


async def test_delivery_that_the_file_refused_is_tried_again_when_the_pause_is_over(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.send(b"a")
    world.store.refusals = 1
    consumer = world.consumer(credit=1)
    await until(lambda: len(consumer.received) == 1)


async def test_body_that_cannot_be_read_costs_one_try_per_pause_and_comes_when_it_can(tmp_path: Path) -> None:
    world = World(tmp_path, body_memory_bytes=0)
    await world.send(b"a", b"b")
    world.store.unreadable = 3
    began = asyncio.get_running_loop().time()
    with structlog.testing.capture_logs() as logged:
        consumer = world.consumer(credit=2)
        await until(lambda: len(consumer.received) == 2)
    assert asyncio.get_running_loop().time() - began > 2 * _PAUSE_SECONDS
    assert "turn_failed" in {line["event"] for line in logged}


async def test_one_turn_hands_out_no_more_than_a_slow_client_may_owe(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.send(*(bytes(200_000) for _ in range(30)))
    before = world.store.commits
    consumer = world.consumer(credit=30)
    await until(lambda: len(consumer.received) == 30)
    assert world.store.commits - before >= 5
