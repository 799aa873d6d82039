"""The whole local stack as one thing that is started, looked at, and stopped."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from local_stack.launcher import (
    description,
    engines,
    errors,
    managed,
    ports,
    services,
    state,
    supervisor,
)


@dataclass(frozen=True, kw_only=True)
class StackOptions:
    """How the stack is to be."""

    state: Path = Path(".speechflow")
    ports: ports.Ports = field(default_factory=ports.Ports)
    profile: engines.Profile = engines.Profile.REAL
    lid_workers: int = 1
    gpu_workers: int = 1
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    """What every process starts from."""


class Stack:
    """Runs in a thread of its own, which starts every process: they end when it does, be it by SIGKILL."""

    def __init__(self, options: StackOptions, *, tell: Callable[[str], None]) -> None:
        """`tell` gets one line for whatever people should know; it is called from the stack's thread."""
        self._options = options
        self._tell = tell
        self._folder = state.StateFolder(root=options.state.resolve())
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._settled = threading.Event()
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._plan: services.Plan | None = None
        self._supervisor: supervisor.Supervisor | None = None
        self._ready = False
        self._started_at = datetime.now(UTC)
        self._engines = engines.NONE

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return self._running_plan().url

    @property
    def logs(self) -> Path:
        return self._folder.logs

    @property
    def state_directory(self) -> Path:
        return self._folder.root

    @property
    def credentials(self) -> dict[str, str]:
        """Connection strings by setting; secrets."""
        return self._running_plan().credentials()

    @property
    def running(self) -> bool:
        """False before start, after stop, and once the stack has given up."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Every process ready. Raises LauncherError, with everything stopped again."""
        self._thread = threading.Thread(target=self._run, name="stack")
        self._thread.start()
        try:
            self._settled.wait()
        except BaseException:
            self.stop()
            raise
        if self._error is not None:
            self._thread.join()
            raise self._error

    def stop(self, *, hurry: bool = False) -> None:
        """Every process ended; harmless when they are already. With `hurry`, by SIGKILL.

        Raises GaveUpError when the stack had given up before.
        """
        if hurry:
            self._hurry.set()
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self._error is not None and self._ready:
            raise self._error

    def ask_to_stop(self, *, hurry: bool = False) -> None:
        """As stop, without waiting: for signal handlers."""
        if hurry:
            self._hurry.set()
        self._stop.set()

    def wait(self) -> None:
        """Until the stack has stopped. Raises the LauncherError that made it stop."""
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def pids(self) -> dict[str, int]:
        """The processes that are alive."""
        return {member.spec.name: member.pid for member in self._members() if member.pid is not None}

    def restarts(self, name: str) -> int:
        return self._member(name).restarts

    def kill(self, name: str) -> int:
        """SIGKILL to the process as it is now; its pid. It is started again by itself."""
        pid = self._member(name).pid
        if pid is None:
            raise errors.LauncherError(f"{name} is not running")
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_restarted(self, name: str, *, restarts: int, timeout_seconds: float) -> None:
        """Until the process has been restarted so often and is ready. Raises TimeoutError."""
        member = self._member(name)
        deadline = time.monotonic() + timeout_seconds
        while member.restarts < restarts or member.phase is not managed.Phase.READY:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} is not back after {timeout_seconds:.0f} s")
            time.sleep(0.05)

    def counts(self) -> dict[str, Any]:
        """The broker's messages per queue."""
        response = httpx.get(self._running_plan().counts_url, timeout=5, trust_env=False)
        counted: dict[str, Any] = json.loads(response.raise_for_status().content)
        return counted

    def _run(self) -> None:
        try:
            with self._folder.held():
                self._supervise()
        except BaseException as error:  # noqa: BLE001 (handed to whoever waits)
            self._error = error
        finally:
            self._settled.set()

    def _supervise(self) -> None:
        self._plan = self._make_plan()
        keeper = supervisor.Supervisor(self._plan.services(), tell=self._tell, on_change=self._describe)
        self._supervisor = keeper
        try:
            keeper.start(self._stop)
            if not self._stop.is_set():
                self._folder.write_credentials(self._plan.credentials())
                self._ready = True
                self._describe()
            self._settled.set()
            keeper.keep(self._stop)
        finally:
            keeper.stop(self._hurry)

    def _make_plan(self) -> services.Plan:
        self._engines = engines.choose(self._options.profile, self._options.environment)
        for line in self._engines.lines():
            self._tell(line)
        chosen, moves = ports.choose(self._options.ports)
        for move in moves:
            self._tell(f"Port {move.wanted} ({move.name}) is taken; using {move.used}")
        workers = self._options.lid_workers + self._options.gpu_workers
        return services.Plan(
            folder=self._folder,
            ports=chosen,
            environment=engines.cleaned(self._options.profile, self._options.environment),
            engines=self._engines,
            account=self._folder.account(),
            lid_workers=self._options.lid_workers,
            gpu_workers=self._options.gpu_workers,
            health_ports=tuple(ports.free(workers, besides=chosen.named().values())),
        )

    def _describe(self) -> None:
        plan = self._running_plan()
        now = description.Description(
            pid=os.getpid(),
            started_at=self._started_at,
            ready=self._ready,
            url=plan.url,
            counts_url=plan.counts_url,
            engines=dict(self._engines.names),
            processes={member.spec.name: _view(member) for member in self._members()},
        )
        try:
            self._folder.write(now)
        except OSError as error:
            # A full disk is when processes die: it must not end their launcher too.
            self._tell(f"{self._folder.stack_file} cannot be written: {error.strerror}")

    def _members(self) -> list[managed.Managed]:
        return self._supervisor.members if self._supervisor else []

    def _member(self, name: str) -> managed.Managed:
        for member in self._members():
            if member.spec.name == name:
                return member
        raise errors.LauncherError(f"The stack has no process {name!r}")

    def _running_plan(self) -> services.Plan:
        if self._plan is None:
            raise errors.LauncherError("The stack has not started")
        return self._plan


def _view(member: managed.Managed) -> description.ProcessView:
    return description.ProcessView(
        pid=member.pid,
        born=description.birth(member.pid) if member.pid is not None else None,
        ready=member.phase is managed.Phase.READY,
        restarts=member.restarts,
        address=member.spec.address,
        log=member.spec.log,
    )
