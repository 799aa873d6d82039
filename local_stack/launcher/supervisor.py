"""Starts the services stage by stage, keeps them running, and stops them in reverse."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from local_stack.launcher import errors, logs, managed, service

Tell = Callable[[str], None]

TICK_SECONDS: Final = 0.05
TRIM_PAUSE_SECONDS: Final = 5.0


class Supervisor:
    """For one thread, apart from `members`, which others may read."""

    def __init__(
        self, services: Sequence[service.Service], *, tell: Tell, on_change: Callable[[], None]
    ) -> None:
        """`on_change` is called after a process was started, became ready or died."""
        self.members = [managed.Managed(spec) for spec in services]
        self._tell = tell
        self._on_change = on_change
        self._next_trim = 0.0

    def start(self, stop: threading.Event) -> None:
        """Every service ready, or `stop` set. Raises StartFailedError at the first death."""
        for stage in self._stages():
            if stop.is_set():
                return
            for member in stage:
                self._demand(member, member.start())
            self._on_change()
            self._wait_ready(stage, stop)

    def keep(self, stop: threading.Event) -> None:
        """Restart what dies until `stop` is set. Raises GaveUpError."""
        while not stop.wait(TICK_SECONDS):
            self._trim_logs()
            for member in self.members:
                pid = member.pid
                change = member.step()
                self._announce(member, change)
                if change is None and member.pid != pid:
                    self._on_change()

    def stop(self, hurry: threading.Event) -> None:
        """End every process; with SIGKILL what does not end in its time, or at once when `hurry` is set."""
        for stage in reversed(list(self._stages())):
            for member in stage:
                member.signal_stop()
            for member in stage:
                if not member.wait_stopped(hurry):
                    self._tell(f"{member.spec.name} had to be killed")
        self._on_change()

    def _stages(self) -> Iterator[list[managed.Managed]]:
        for _, stage in itertools.groupby(self.members, key=lambda member: member.spec.stage):
            yield list(stage)

    def _wait_ready(self, stage: Sequence[managed.Managed], stop: threading.Event) -> None:
        while not stop.is_set() and any(member.phase is not managed.Phase.READY for member in stage):
            for member in self.members:
                change = member.step()
                if member in stage:
                    self._demand(member, change)
                if change is not None:
                    self._announce_first(member, change)
            time.sleep(TICK_SECONDS)

    def _demand(self, member: managed.Managed, change: managed.Change | None) -> None:
        if change is not None and change.phase is managed.Phase.PAUSING:
            log = member.spec.log
            raise errors.StartFailedError(
                name=member.spec.name, reason=change.reason, log=log, log_end=logs.end(log)
            )

    def _announce_first(self, member: managed.Managed, change: managed.Change) -> None:
        if change.phase is managed.Phase.READY and member.restarts == 0:
            spec = member.spec
            self._tell(f"{spec.name:<15} ready after {change.seconds:4.1f} s  {spec.address}")
            self._on_change()
            return
        self._announce(member, change)

    def _announce(self, member: managed.Managed, change: managed.Change | None) -> None:
        if change is None:
            return
        name = member.spec.name
        if change.phase is managed.Phase.READY:
            self._tell(f"{name} is back after {change.seconds:.1f} s (restart {member.restarts})")
        else:
            self._tell(f"{name} died ({change.reason}); starting it again in {change.seconds:.1f} s")
        self._on_change()

    def _trim_logs(self) -> None:
        if time.monotonic() < self._next_trim:
            return
        self._next_trim = time.monotonic() + TRIM_PAUSE_SECONDS
        for member in self.members:
            logs.trim(member.spec.log)
