"""Awaiting, without an event loop: what a replay needs of it, in one fixed order."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence


class Promise:
    """Something awaited: done once, successfully or not."""

    def __init__(self) -> None:
        self.is_done = False
        self.has_failed = False
        self._callbacks: list[Callable[[], None]] = []

    def settle(self, *, failed: bool = False) -> None:
        """The first settlement counts."""
        if self.is_done:
            return
        self.is_done, self.has_failed = True, failed
        for callback in self._callbacks:
            callback()

    def then(self, callback: Callable[[], None]) -> None:
        """Calls back when done: at once if it is done already."""
        if self.is_done:
            callback()
        else:
            self._callbacks.append(callback)


# Awaits promises by yielding them; returns whether it failed.
Coroutine = Generator[Promise, None, bool]


def when(children: Sequence[Promise], is_met: Callable[[], bool]) -> Promise:
    """Settles once `is_met`, looked at now and whenever a child settles."""
    promise = Promise()

    def look() -> None:
        if is_met():
            promise.settle(failed=any(child.has_failed for child in children))

    look()
    for child in children:
        child.then(look)
    return promise


def spawn(coroutine: Coroutine) -> Promise:
    """Runs a coroutine up to its first promise that is not done, and on from there as promises settle."""
    promise = Promise()

    def step() -> None:
        try:
            awaited = next(coroutine)
            while awaited.is_done:
                awaited = next(coroutine)
        except StopIteration as end:
            promise.settle(failed=end.value)
        else:
            awaited.then(step)

    step()
    return promise
