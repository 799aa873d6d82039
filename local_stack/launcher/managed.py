"""One process through its lives: started, ready, dead, started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from local_stack.launcher import errors, logs, service

FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 10.0
QUICK_DEATH_SECONDS: Final = 10.0
"""A process that dies sooner after it became ready has not lived."""
MOST_FAILED_STARTS: Final = 6
"""In a row. A process that was ready each time is started again for ever: a message that kills it comes back
as often as its queue delivers it."""
STOP_CHECK_SECONDS: Final = 0.2
CHECK_PAUSE_SECONDS: Final = 0.1


class Phase(StrEnum):
    """Where a process stands."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    PAUSING = "pausing"
    """Dead, and started again after its pause."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """Something that people should hear of."""

    phase: Phase
    reason: str
    seconds: float
    """Of the start that led to READY; of the pause that PAUSING is."""


class Managed:
    """A service and the process that it is now.

    For one thread alone: a process ends with the thread that started it.
    """

    def __init__(self, spec: service.Service) -> None:
        self.spec = spec
        self.phase = Phase.STOPPED
        self.restarts = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._quick_deaths = 0
        self._failed_starts = 0
        self._since = 0.0
        self._next_check = 0.0

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.phase in (Phase.STARTING, Phase.READY) else None

    def start(self) -> Change | None:
        """Start it; a Change only when that fails at once."""
        self._enter(Phase.STARTING)
        self._next_check = 0.0
        try:
            self.process = self.spec.launch()
        except (OSError, RuntimeError) as error:
            return self._died(str(error))
        return None

    def step(self) -> Change | None:
        """Look at the process, do what is due, and tell what changed.

        Raises GaveUpError when it could not be started too often.
        """
        if self.phase is Phase.PAUSING:
            return self._resume()
        if self.phase is Phase.STOPPED or self.process is None:
            return None
        if self.process.poll() is not None:
            return self._died(_how_it_ended(self.process.returncode))
        return self._check() if self.phase is Phase.STARTING else None

    def signal_stop(self) -> None:
        """Ask it to end; harmless when it has ended."""
        was, self.phase = self.phase, Phase.STOPPED
        if was in (Phase.STARTING, Phase.READY) and self.process and self.process.poll() is None:
            self.process.send_signal(self.spec.stop_signal)

    def wait_stopped(self, hurry: threading.Event) -> bool:
        """After signal_stop: True when it ended by itself, False when it had to be killed.

        `hurry` is heard while this waits.
        """
        if self.process is None:
            return True
        deadline = time.monotonic() + self.spec.stop_limit_seconds
        while self.process.poll() is None and time.monotonic() < deadline and not hurry.is_set():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_CHECK_SECONDS)
        ended = self.process.poll() is not None
        self._kill_group()
        return ended

    def _resume(self) -> Change | None:
        if time.monotonic() < self._since + self._pause_seconds():
            return None
        self.restarts += 1
        return self.start()

    def _check(self) -> Change | None:
        now = time.monotonic()
        if now < self._next_check:
            return None
        reason = self.spec.ready()
        took_seconds = time.monotonic() - self._since
        if reason is None:
            self._enter(Phase.READY)
            return Change(phase=Phase.READY, reason="", seconds=took_seconds)
        self._next_check = time.monotonic() + CHECK_PAUSE_SECONDS
        if took_seconds > self.spec.start_limit_seconds:
            return self._died(f"not ready after {took_seconds:.0f} s: {reason}")
        return None

    def _died(self, reason: str) -> Change:
        was_ready = self.phase is Phase.READY
        lived = was_ready and time.monotonic() - self._since >= QUICK_DEATH_SECONDS
        self._quick_deaths = 0 if lived else self._quick_deaths + 1
        self._failed_starts = 0 if was_ready else self._failed_starts + 1
        # Its own children must not stand in the way of the next one.
        self._kill_group()
        if self._failed_starts >= MOST_FAILED_STARTS:
            self._enter(Phase.STOPPED)
            raise errors.GaveUpError(
                name=self.spec.name,
                deaths=self._failed_starts,
                log=self.spec.log,
                log_end=logs.end(self.spec.log),
            )
        self._enter(Phase.PAUSING)
        return Change(phase=Phase.PAUSING, reason=reason, seconds=self._pause_seconds())

    def _pause_seconds(self) -> float:
        return min(FIRST_PAUSE_SECONDS * 2.0 ** max(0, self._quick_deaths - 1), LONGEST_PAUSE_SECONDS)

    def _kill_group(self) -> None:
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        if self.process.returncode is None:
            self.process.wait()

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self._since = time.monotonic()


def _how_it_ended(returncode: int) -> str:
    if returncode >= 0:
        return f"ended with status {returncode}"
    return f"killed by {signal.Signals(-returncode).name}"
