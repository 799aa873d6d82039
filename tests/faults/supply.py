"""Jobs that come one by one while processes are killed, so that there is one to disturb."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

SHARE_AT_START: Final = 0.4
"""Of the jobs: those that are there before the first kill."""
SHARE_OF_KILLS: Final = 0.9
"""The last job has come when so many of the kills are made."""
BUSY_LIMIT_SECONDS: Final = 60.0
LOOK_EVERY_SECONDS: Final = 0.2


def due(job_count: int, kill_count: int, made: int) -> int:
    """How many jobs have come when so many kills are made."""
    first = math.ceil(SHARE_AT_START * job_count)
    others = (job_count - first) * made / (SHARE_OF_KILLS * kill_count) if kill_count else 0.0
    return min(job_count, first + math.ceil(others))


@dataclass(kw_only=True)
class Supply:
    """Holds jobs back; for one thread that sends them, and one that kills."""

    job_count: int
    kill_count: int
    is_idle: Callable[[int], bool]
    """Whether as many jobs as it is given have been sent, and all of them have ended."""
    come: int = 0
    _gate: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def wait_for_turn(self) -> None:
        """Before each job."""
        self._gate.acquire()

    def killed(self, made: int) -> None:
        """So many kills are made."""
        self._let_come(due(self.job_count, self.kill_count, made))

    def keep_busy(self) -> None:
        """Before a kill: on a fast machine the next job comes early, when all others have ended."""
        deadline = time.monotonic() + BUSY_LIMIT_SECONDS
        while self.is_idle(self.come) and self.come < self.job_count and time.monotonic() < deadline:
            self._let_come(self.come + 1)
            time.sleep(LOOK_EVERY_SECONDS)

    def end(self) -> None:
        """Whatever became of the kills, nobody waits for ever."""
        self._let_come(self.job_count)

    def _let_come(self, number: int) -> None:
        while self.come < number:
            self.come += 1
            self._gate.release()
