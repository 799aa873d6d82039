"""A real functions host in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from local_stack import free_ports

REPOSITORY = Path(__file__).resolve().parents[3]
SAMPLE_APP = REPOSITORY / "tests" / "fixtures" / "sample_function_app"

START_LIMIT_SECONDS = 60.0
READY = "functions_host ready on "


@dataclass(frozen=True, kw_only=True)
class HostProcess:
    """A host that has said that it is ready, and the lines of its log so far."""

    base_url: str
    process: subprocess.Popen[str]
    log_lines: list[str] = field(default_factory=list)

    def terminate(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self.process.wait(40)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def counts(self) -> Any:
        return httpx.get(f"{self.base_url}/admin/host/counts", timeout=10).json()

    def events(self, name: str) -> list[dict[str, Any]]:
        """Log events of that name."""
        parsed = [json.loads(line) for line in list(self.log_lines) if line.startswith("{")]
        return [event for event in parsed if event.get("event") == name]


@contextlib.contextmanager
def running_host(
    settings: Mapping[str, str], *, root: Path = SAMPLE_APP, port: int | None = None
) -> Iterator[HostProcess]:
    """The host of the app in `root` under these settings: ready before the body, gone after it."""
    command = [sys.executable, "-m", "local_stack.functions_host", "--root", str(root)]
    command += ["--port", str(port or free_ports.free_port())]
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log_lines: list[str] = []
    reader = threading.Thread(target=_collect, args=(process, log_lines), daemon=True)
    reader.start()
    try:
        yield HostProcess(
            base_url=_wait_until_ready(process, log_lines), process=process, log_lines=log_lines
        )
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        reader.join(10)
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()


def wait_for(condition: Callable[[], Any], *, limit_seconds: float = 20.0, what: str = "condition") -> Any:
    """The first true value of the condition, or AssertionError past the limit."""
    deadline = time.monotonic() + limit_seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come true in {limit_seconds:.0f} s")


def _collect(process: subprocess.Popen[str], lines: list[str]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line.rstrip("\n"))  # noqa: PERF401 # others read the list while it grows


def _wait_until_ready(process: subprocess.Popen[str], log_lines: list[str]) -> str:
    assert process.stdout is not None
    watchdog = threading.Timer(START_LIMIT_SECONDS, process.kill)
    watchdog.start()
    try:
        for line in process.stdout:
            if line.startswith(READY):
                return line.removeprefix(READY).split()[0]
    finally:
        watchdog.cancel()
    process.wait(10)
    raise AssertionError("the host ended before it was ready:\n" + "\n".join(log_lines[-40:]))
