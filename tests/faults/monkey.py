"""The kill monkey: ends real processes of a running stack, one after another, when a seed says so."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from local_stack.launcher import stack

VICTIMS: Final = ("lid_worker", "gpu_worker", "functions_host", "broker", "postgres", "azurite")
"""The processes by the launcher's names for them."""

GENTLE: Final = frozenset({"azurite"})
"""These get SIGTERM: Azurite writes its index every few seconds, so SIGKILL loses blobs by its design."""

LONGEST_PAUSE_SECONDS: Final = 4.0
BACK_LIMIT_SECONDS: Final = 150.0


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A kill to come."""

    victim: str
    pause_seconds: float
    """After the process that was killed before is back."""


@dataclass(frozen=True, kw_only=True)
class Kill:
    """A kill that was made."""

    victim: str
    signal: signal.Signals
    at: datetime
    pid: int
    back_at: datetime
    """When the launcher had the process ready again."""

    @property
    def recovery_seconds(self) -> float:
        return (self.back_at - self.at).total_seconds()

    def __str__(self) -> str:
        return (
            f"{self.at:%H:%M:%S} {self.signal.name} to {self.victim} ({self.pid}), "
            f"ready again after {self.recovery_seconds:.1f} s"
        )


def plan(
    kills: int,
    seed: int,
    *,
    victims: Sequence[str] = VICTIMS,
    longest_pause_seconds: float = LONGEST_PAUSE_SECONDS,
) -> Iterator[Planned]:
    """Who dies when: the same for the same seed. Everybody dies once before anybody dies again."""
    chance = random.Random(seed)
    deck: list[str] = []
    for _ in range(kills):
        if not deck:
            deck = chance.sample(victims, len(victims))
        yield Planned(victim=deck.pop(), pause_seconds=chance.uniform(0, longest_pause_seconds))


def run(
    running: stack.Stack,
    planned: Iterator[Planned],
    *,
    before: Callable[[], None],
    on_kill: Callable[[Kill], None],
) -> list[Kill]:
    """Makes the kills, each after the process that was killed before is ready again.

    `before` is called before the pause that goes before a kill, `on_kill` after each.

    Raises TimeoutError when one does not come back, and LauncherError when the stack has given up.
    """
    kills = []
    for each in planned:
        before()
        time.sleep(each.pause_seconds)
        kills.append(strike(running, each.victim))
        on_kill(kills[-1])
    return kills


def strike(running: stack.Stack, victim: str) -> Kill:
    """One kill, and the wait until the process is ready again."""
    restarts = running.restarts(victim)
    number = signal.SIGTERM if victim in GENTLE else signal.SIGKILL
    pid = running.pids()[victim]
    at = datetime.now(UTC)
    os.kill(pid, number)
    running.wait_restarted(victim, restarts=restarts + 1, timeout_seconds=BACK_LIMIT_SECONDS)
    return Kill(victim=victim, signal=number, at=at, pid=pid, back_at=datetime.now(UTC))
