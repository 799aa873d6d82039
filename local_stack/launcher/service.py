"""What the launcher must know of a process to run it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_stack.launcher import readiness, tether

Launch = Callable[[], subprocess.Popen[bytes]]
"""Starts the process. It may raise OSError or RuntimeError, which counts as a death."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """One process of the stack."""

    name: str
    stage: int
    """Stages start one after another and stop in reverse; the processes of one start together."""
    launch: Launch
    ready: readiness.Check
    log: Path
    address: str
    """Where people find it."""
    start_limit_seconds: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_limit_seconds: float = 10.0


@dataclass(frozen=True, kw_only=True)
class Program:
    """A command line that ends with the launcher, however that ends."""

    command: Sequence[str]
    environment: Mapping[str, str]
    """All of it."""
    directory: Path
    log: Path
    last_signal: signal.Signals = signal.SIGKILL
    """What it gets when the launcher is killed. Processes that a SIGKILL does not hurt get that one."""

    def launch(self) -> subprocess.Popen[bytes]:
        """Starts it in a process group of its own: Ctrl-C is the launcher's.

        On Linux the program ends when the calling thread ends.
        """
        # -I -S: nothing of the environment or of site-packages is wanted for a dozen lines.
        tethered = [sys.executable, "-I", "-S", tether.__file__, str(int(self.last_signal)), str(os.getpid())]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 (our own command line)
                [*tethered, *self.command],
                cwd=self.directory,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
