"""The rules of a queue, with a clock that moves when it is told to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from local_stack.broker import (
    configuration,
    decoder,
    encoder,
    entries,
    errors,
    journal,
    ledger,
    queues,
    sections,
    store,
    values,
)

START_MS = 1_000_000


def message(body: str, *, message_id: Any = None, ttl_ms: int | None = None) -> sections.Parsed:
    properties = encoder.described(0x73, encoder.encode([message_id]))
    return sections.parse(
        sections.header(durable=None, priority=None, ttl_ms=ttl_ms, delivery_count=0)
        + properties
        + encoder.described(0x75, encoder.encode(body.encode()))
    )


@dataclass
class Bench:
    """A queue on a real SQLite file, driven turn by turn."""

    path: Path
    settings: configuration.Queue
    now_ms: int = START_MS
    body_memory_bytes: int = 1 << 20

    def __post_init__(self) -> None:
        self.store = store.Store(self.path)
        self.journal = journal.Journal(lambda: None)
        shared = ledger.Ledger(self.store, self.journal, body_memory_bytes=self.body_memory_bytes)
        self.dead = queues.Queue(self.settings, shared, dead_letters=None, size_limit_bytes=10_000)
        self.queue = queues.Queue(self.settings, shared, dead_letters=self.dead, size_limit_bytes=10_000)
        for each in (self.queue, self.dead):
            each.load(self.store)

    def reopen(self) -> Bench:
        """As after a crash: what was not committed is forgotten."""
        self.store.close()
        return Bench(self.path, self.settings, self.now_ms, self.body_memory_bytes)

    def commit(self) -> None:
        self.store.commit(self.journal.statements)
        for outcome in self.journal.close():
            outcome.committed()

    def fail(self) -> None:
        for outcome in self.journal.take_back():
            outcome.failed(errors.StoreError())

    def send(self, body: str, **options: Any) -> int:
        scheduled_ms = options.pop("scheduled_ms", None)
        sequence = self.queue.send(message(body, **options), self.now_ms, scheduled_ms)
        self.commit()
        return sequence

    def take(self, queue: queues.Queue | None = None) -> UUID | None:
        delivery = (queue or self.queue).take(self.now_ms, delete=False)
        self.commit()
        return None if delivery is None else delivery.token

    def must_take(self, queue: queues.Queue | None = None) -> UUID:
        token = self.take(queue)
        assert token is not None
        return token

    def taken_bodies(self, queue: queues.Queue | None = None) -> list[str]:
        """Take and remove all that is ready."""
        found = []
        while (delivery := (queue or self.queue).take(self.now_ms, delete=True)) is not None:
            found.append(body_of(delivery))
        self.commit()
        return found

    def pass_ms(self, duration_ms: int) -> None:
        self.now_ms += duration_ms
        for each in (self.queue, self.dead):
            each.pass_time(self.now_ms)
        self.commit()


def body_of(delivery: entries.Delivery) -> str:
    described, _end = decoder.decode(delivery.message, delivery.message.rindex(b"\x00\x53\x75"))
    return bytes(described.value).decode()


def make(tmp_path: Path, **settings: Any) -> Bench:
    return Bench(
        tmp_path / "broker.sqlite3", configuration.Queue(name="Work", **{"lock_ms": 1000, **settings})
    )


def test_messages_are_taken_in_order_and_an_abandoned_one_keeps_its_place(tmp_path: Path) -> None:
    bench = make(tmp_path)
    for body in ("a", "b", "c"):
        bench.send(body)
    token = bench.must_take()
    bench.queue.abandon(token, bench.now_ms)
    bench.commit()
    assert bench.taken_bodies() == ["a", "b", "c"]


def test_lock_ends_on_time_and_not_before(tmp_path: Path) -> None:
    bench = make(tmp_path)
    bench.send("a")
    token = bench.must_take()
    bench.pass_ms(999)
    assert bench.take() is None
    bench.queue.renew(token, bench.now_ms)
    bench.commit()
    bench.pass_ms(999)
    assert bench.take() is None
    bench.pass_ms(1)
    with pytest.raises(errors.LockLostError):
        bench.queue.complete(token, bench.now_ms)
    assert bench.take() is not None


@pytest.mark.parametrize("operation", ["complete", "abandon", "release", "renew", "dead_letter"])
def test_settling_needs_a_living_lock(tmp_path: Path, operation: str) -> None:
    bench = make(tmp_path)
    bench.send("a")
    token = bench.must_take()
    details = {"reason": "r", "description": "d"} if operation == "dead_letter" else {}
    for wrong_token, now_ms in ((uuid4(), bench.now_ms), (token, bench.now_ms + 1000)):
        with pytest.raises(errors.LockLostError):
            getattr(bench.queue, operation)(wrong_token, now_ms, **details)
    getattr(bench.queue, operation)(token, bench.now_ms, **details)


@pytest.mark.parametrize("failure", ["abandon", "expiry"])
def test_last_failed_delivery_moves_the_message_to_the_dead_letters(tmp_path: Path, failure: str) -> None:
    bench = make(tmp_path, max_delivery_count=3)
    bench.send("a")
    for _ in range(3):
        token = bench.must_take()
        if failure == "abandon":
            bench.queue.abandon(token, bench.now_ms)
        bench.pass_ms(1000)
    assert bench.take() is None
    delivery = bench.dead.take(bench.now_ms, delete=False)
    assert delivery is not None
    parsed = sections.parse(delivery.message)
    assert parsed.application_properties["DeadLetterReason"] == "MaxDeliveryCountExceeded"
    assert parsed.annotations["x-opt-deadletter-source"] == "Work"
    for _ in range(5):  # dead letters are never given up
        bench.pass_ms(1000)
        assert bench.take(bench.dead) is not None


def test_released_message_has_not_been_delivered(tmp_path: Path) -> None:
    bench = make(tmp_path, max_delivery_count=1)
    bench.send("a")
    for _ in range(3):
        bench.queue.release(bench.must_take(), bench.now_ms)
        bench.commit()
    assert bench.taken_bodies() == ["a"]


@pytest.mark.parametrize(
    ("own_ms", "queue_ms", "lives_ms"),
    [
        (None, None, None),
        (500, None, 500),
        (None, 700, 700),
        (500, 700, 500),
        (900, 700, 700),  # a message cannot outlive what its queue allows
    ],
)
def test_shorter_time_to_live_counts(
    tmp_path: Path, own_ms: int | None, queue_ms: int | None, lives_ms: int | None
) -> None:
    bench = make(tmp_path, time_to_live_ms=queue_ms, dead_letter_on_expiration=True)
    bench.send("a", ttl_ms=own_ms)
    bench.pass_ms((lives_ms or 1_000_000) - 1)
    assert bench.queue.counts().active == 1
    bench.pass_ms(1)
    assert bench.queue.counts().active == (1 if lives_ms is None else 0)
    assert bench.dead.counts().active == (0 if lives_ms is None else 1)


def test_locked_message_outlives_its_time_and_expires_when_it_comes_back(tmp_path: Path) -> None:
    bench = make(tmp_path, dead_letter_on_expiration=False)
    bench.send("done in time", ttl_ms=100)
    bench.send("given back", ttl_ms=100)
    first, second = bench.must_take(), bench.must_take()
    bench.pass_ms(200)
    bench.queue.complete(first, bench.now_ms)
    bench.queue.abandon(second, bench.now_ms)
    bench.commit()
    assert bench.queue.counts().active == 0
    assert bench.dead.counts().active == 0


def test_scheduled_message_is_appended_when_due_with_its_whole_time_to_live(tmp_path: Path) -> None:
    bench = make(tmp_path)
    scheduled_as = bench.send("later", scheduled_ms=START_MS + 500, ttl_ms=100)
    bench.send("now")
    bench.pass_ms(499)
    assert bench.queue.counts() == queues.Counts(active=1, scheduled=1, locked=0)
    bench.pass_ms(1)
    with pytest.raises(errors.MessageNotFoundError):
        bench.queue.cancel(scheduled_as)
    bench.pass_ms(99)
    assert bench.taken_bodies() == ["now", "later"]


def test_duplicates_are_dropped_within_the_window_whatever_became_of_the_first(tmp_path: Path) -> None:
    bench = make(tmp_path, duplicate_detection_ms=1000)
    bench.send("first", message_id="a")
    assert bench.taken_bodies() == ["first"]
    bench.pass_ms(999)
    bench.send("repeat", message_id="a")
    bench.send("a number is another id", message_id=values.ULong(1))
    bench.send("than the text", message_id="1")
    assert bench.taken_bodies() == ["a number is another id", "than the text"]
    bench.pass_ms(1)
    bench.send("after the window", message_id="a")
    assert bench.taken_bodies() == ["after the window"]


@pytest.mark.parametrize("body", ["", "x" * 1000])
def test_full_queue_refuses_however_small_its_messages(tmp_path: Path, body: str) -> None:
    bench = make(tmp_path)
    with pytest.raises(errors.QueueFullError):
        fill(bench, body)
    assert bench.queue.size_bytes <= 10_000
    bench.taken_bodies()
    bench.queue.check_room([message(body)])


def fill(bench: Bench, body: str) -> None:
    for _ in range(100):
        bench.queue.check_room([message(body)])
        bench.send(body)
        bench.pass_ms(1)


def test_dead_letters_that_nobody_fetches_fill_their_queue(tmp_path: Path) -> None:
    bench = make(tmp_path, time_to_live_ms=1, dead_letter_on_expiration=True)
    with pytest.raises(errors.QueueFullError, match="dead letters"):
        fill(bench, "a")
    bench.pass_ms(1)
    assert bench.queue.counts().active == 0
    bench.taken_bodies(bench.dead)
    bench.queue.check_room([message("a")])


def test_indexes_forget_what_has_gone_although_nobody_receives(tmp_path: Path) -> None:
    bench = make(tmp_path, time_to_live_ms=1)
    for _ in range(3000):
        bench.queue.send(message("a"), bench.now_ms)
        bench.now_ms += 1
        bench.queue.pass_time(bench.now_ms)
    bench.commit()
    assert bench.queue.counts().active == 0
    assert len(bench.queue._shelf._ready) < 1100
    bench.send("last")
    assert bench.taken_bodies() == ["last"]


def test_dead_letter_given_back_again_and_again_takes_no_more_room(tmp_path: Path) -> None:
    bench = make(tmp_path)
    bench.send("a")
    bench.queue.dead_letter(bench.must_take(), bench.now_ms, reason="r", description="d")
    for _ in range(1500):
        delivery = bench.dead.take(bench.now_ms, delete=False)
        assert delivery is not None
        bench.dead.abandon(delivery.token, bench.now_ms)
    bench.commit()
    assert len(bench.dead._shelf._ready) < 1100
    assert bench.taken_bodies(bench.dead) == ["a"]


def test_dead_letter_cannot_die_again(tmp_path: Path) -> None:
    bench = make(tmp_path)
    bench.send("a")
    bench.queue.dead_letter(bench.must_take(), bench.now_ms, reason="r", description="d")
    bench.commit()
    token = bench.must_take(bench.dead)
    with pytest.raises(errors.NotAllowedError):
        bench.dead.dead_letter(token, bench.now_ms, reason="r", description="d")


def test_bodies_above_the_memory_limit_are_read_from_the_file(tmp_path: Path) -> None:
    bench = make(tmp_path)
    bench.body_memory_bytes = 0
    bench = bench.reopen()
    bench.send("a")
    bench.send("later", scheduled_ms=START_MS + 10)
    bench.pass_ms(10)
    assert len(bench.queue.peek(0, 10, 1 << 20)) == 2
    assert bench.taken_bodies() == ["a", "later"]


def test_everything_is_found_again_after_a_crash(tmp_path: Path) -> None:
    bench = make(tmp_path, duplicate_detection_ms=60_000, dead_letter_on_expiration=True)
    for body in ("done", "locked", "dead", "abandoned", "ready"):
        bench.send(body, message_id=body)
    bench.send("scheduled", scheduled_ms=START_MS + 2000)
    done, locked, dead, abandoned = (bench.must_take() for _ in range(4))
    bench.queue.complete(done, bench.now_ms)
    bench.queue.dead_letter(dead, bench.now_ms, reason="r", description="d")
    bench.queue.abandon(abandoned, bench.now_ms)
    bench.commit()
    bench.queue.send(message("never committed"), bench.now_ms)
    bench = bench.reopen()
    assert bench.queue.counts() == queues.Counts(active=3, scheduled=1, locked=1)
    assert bench.dead.counts().active == 1
    bench.queue.renew(locked, bench.now_ms)
    bench.commit()
    bench.send("again", message_id="done")
    assert bench.taken_bodies() == ["abandoned", "ready"]
    assert bench.taken_bodies(bench.dead) == ["dead"]
    bench.pass_ms(2000)
    assert bench.taken_bodies() == ["locked", "scheduled"]


def test_sequence_numbers_are_never_given_twice(tmp_path: Path) -> None:
    bench = make(tmp_path)
    first = bench.send("a")
    bench.taken_bodies()
    assert bench.reopen().send("b") > first


def test_turn_that_was_not_written_leaves_no_trace(tmp_path: Path) -> None:
    bench = make(tmp_path, max_delivery_count=2, duplicate_detection_ms=1000, dead_letter_on_expiration=True)
    for body in ("a", "b", "c", "d"):
        bench.send(body, message_id=body)
    bench.send("expiring", ttl_ms=1000)
    bench.send("scheduled", scheduled_ms=START_MS + 1000)
    tokens = [bench.must_take() for _ in range(4)]
    before = (bench.queue.counts(), bench.dead.counts(), bench.queue.peek(0, 10, 1 << 20))

    bench.queue.complete(tokens[0], bench.now_ms)
    bench.queue.abandon(tokens[1], bench.now_ms)
    bench.queue.dead_letter(tokens[2], bench.now_ms, reason="r", description="d")
    bench.queue.renew(tokens[3], bench.now_ms + 10)
    bench.queue.send(message("new", message_id="new"), bench.now_ms)
    while bench.queue.take(bench.now_ms, delete=False):
        pass
    while bench.dead.take(bench.now_ms, delete=True):
        pass
    bench.queue.pass_time(bench.now_ms + 1500)
    bench.fail()

    assert (bench.queue.counts(), bench.dead.counts(), bench.queue.peek(0, 10, 1 << 20)) == before
    bench.send("new", message_id="new")  # its id was not remembered either
    for token in tokens:
        bench.queue.complete(token, bench.now_ms)
    bench.commit()
    bench.pass_ms(900)
    assert bench.taken_bodies() == ["expiring", "new"]
    bench.pass_ms(100)
    assert bench.taken_bodies() == ["scheduled"]
