"""All queues of a broker, and the turns in which they move.

A turn is one pass of the event loop: what came in is applied in memory, due times pass, messages are handed
out, one transaction writes it all, and then acknowledgements and deliveries leave.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from typing import Final

import structlog

from local_stack.broker import configuration, dispatch, errors, journal, ledger, queues, store
from local_stack.broker.journal import CommitPoint

log = structlog.get_logger()

_LONGEST_TIMER_MS: Final = 60_000
_PURGE_AFTER_MS: Final = 60_000


def wall_clock_ms() -> int:
    """Milliseconds since 1970: clients compare locked-until with their own clock."""
    return time.time_ns() // 1_000_000


class Namespace:
    """Use from the event loop's thread only."""

    def __init__(
        self,
        configured: Iterable[configuration.Queue],
        state: store.Store,
        *,
        max_queue_bytes: int,
        body_memory_bytes: int,
        store_pause_seconds: float,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._store = state
        self._clock_ms = clock_ms
        self._store_pause_ms = int(1000 * store_pause_seconds)
        self._paused_until_ms = 0
        self._turn_requested = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due_ms = 0
        self._after_telling: list[Callable[[], None]] | None = None
        self.journal = journal.Journal(self.request_turn)
        shared = ledger.Ledger(state, self.journal, body_memory_bytes=body_memory_bytes)
        self._dispatchers: dict[str, dispatch.Dispatcher] = {}
        for settings in configured:
            self._add(settings, shared, max_queue_bytes)
        for address in sorted(state.queues() - self._dispatchers.keys()):
            log.warning("queue_not_configured", queue=address)

    def _add(self, settings: configuration.Queue, shared: ledger.Ledger, max_queue_bytes: int) -> None:
        dead_letters = queues.Queue(settings, shared, dead_letters=None, size_limit_bytes=max_queue_bytes)
        queue = queues.Queue(settings, shared, dead_letters=dead_letters, size_limit_bytes=max_queue_bytes)
        for each in (queue, dead_letters):
            each.load(self._store)
            self._dispatchers[each.address] = dispatch.Dispatcher(each)

    def now_ms(self) -> int:
        return self._clock_ms()

    def find(self, address: str) -> dispatch.Dispatcher:
        """The queue at an address, in any case; raise EntityNotFoundError."""
        found = self._dispatchers.get(address.lower())
        if found is None:
            raise errors.EntityNotFoundError(f"The messaging entity '{address}' could not be found.")
        return found

    def counts(self) -> dict[str, dict[str, int]]:
        """Messages per queue, dead letters beside the others."""
        queues_with_dead_letters = (
            (each.queue, each.queue.dead_letters)
            for each in self._dispatchers.values()
            if each.queue.dead_letters
        )
        return {
            queue.settings.name: {**asdict(queue.counts()), "dead_letter": dead_letters.counts().active}
            for queue, dead_letters in queues_with_dead_letters
        }

    def request_turn(self) -> None:
        """Run a turn in the next pass of the event loop."""
        if not self._turn_requested:
            self._turn_requested = True
            asyncio.get_running_loop().call_soon(self._turn_in_loop)

    def _turn_in_loop(self) -> None:
        try:
            self.turn()
        except (
            Exception
        ):  # whatever a turn stumbles over, the broker goes on and nobody is told that it worked
            log.exception("turn_failed")
            self._turn_requested = False
            self._fail(errors.StoreError("The broker failed; nothing was changed."))
        self._set_timer()

    def turn(self) -> None:
        """Apply, write, tell."""
        now_ms = self.now_ms()
        is_paused = now_ms < self._paused_until_ms
        more = not is_paused and self._move(now_ms)
        for each in self._dispatchers.values():
            each.finish_drains()
        # What is noted from here on belongs to the next turn.
        self._turn_requested = False
        self._commit()
        if more:
            self.request_turn()

    def _move(self, now_ms: int) -> bool:
        # Dead letters come after their queue: what it puts aside is handed out in the same turn.
        may_be_more = [each.turn(now_ms) for each in self._dispatchers.values()]
        return any(may_be_more)

    def _commit(self) -> None:
        try:
            if self.journal.statements:
                self._store.commit(self.journal.statements)
        except errors.StoreError as failure:
            log.error("store_failed", reason=str(failure), statements=len(self.journal.statements))
            self._fail(failure)
            return
        self._tell([outcome.committed for outcome in self.journal.close()])

    def _fail(self, failure: errors.StoreError) -> None:
        # Those who wait stand in line again at once: without a pause the same failure would follow at once.
        self._paused_until_ms = self.now_ms() + self._store_pause_ms
        self._tell([partial(outcome.failed, failure) for outcome in self.journal.take_back()])

    def _tell(self, answers: list[Callable[[], None]]) -> None:
        self._after_telling = []
        for answer in answers:
            _tell(answer)
        sends, self._after_telling = self._after_telling, None
        for send in sends:
            _tell(send)

    def call_after_telling(self, send: Callable[[], None]) -> None:
        """Call it once all answers of this turn are given; between turns, in the next pass of the loop."""
        if self._after_telling is None:
            asyncio.get_running_loop().call_soon(send)
        else:
            self._after_telling.append(send)

    def _set_timer(self) -> None:
        now_ms = self.now_ms()
        due_ms = max(self._next_due_ms(now_ms), now_ms + 1)
        if now_ms < self._paused_until_ms:
            # Whatever is due before that waits, and so do consumers, which no due time speaks of.
            due_ms = self._paused_until_ms
        if self._timer is not None and not self._timer.cancelled():
            if now_ms < self._timer_due_ms <= due_ms:
                return  # it comes early enough and sets the next one
            self._timer.cancel()
        self._timer_due_ms = due_ms
        self._timer = asyncio.get_running_loop().call_later((due_ms - now_ms) / 1000, self.request_turn)

    def _next_due_ms(self, now_ms: int) -> int:
        dues = [each.due_ms for each in self._dispatchers.values() if each.due_ms is not None]
        return min(dues, default=now_ms + _LONGEST_TIMER_MS)

    def purge(self) -> None:
        """Remove the locks that removed messages left in the file."""
        self.journal.write(CommitPoint.LOCKS_PURGED, self.now_ms() - _PURGE_AFTER_MS)

    def start(self) -> None:
        """Let time pass: locks that ended while the broker was away end now."""
        self.request_turn()

    def stop(self) -> None:
        """Write what is still noted. Call after the last connection has closed."""
        if self._timer is not None:
            self._timer.cancel()
        self._commit()


def _tell(callback: Callable[[], None]) -> None:
    """One client's trouble must not keep the others from hearing how the turn ended."""
    try:
        callback()
    except Exception:  # see above
        log.exception("answer_failed")
