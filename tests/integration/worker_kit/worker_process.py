"""A real worker process for integration tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from local_stack import free_ports
from tests.integration import azurite_process, broker_process

ROOT = Path(__file__).resolve().parents[3]
STOP_SECONDS = 30.0


def wait_until(condition: Callable[[], bool], *, within_seconds: float, what: str) -> None:
    """Returns as soon as the condition holds; TimeoutError after the limit."""
    deadline = time.monotonic() + within_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within_seconds:g} s: {what}")
        time.sleep(0.05)


class WorkerProcess:
    """`python -m MODULE`, with its log in a file and /ready on a port of its own."""

    def __init__(self, module: str, environment: Mapping[str, str], log_path: Path) -> None:
        self.module = module
        self.log_path = log_path
        self.port = free_ports.free_port()
        self._environment = {**os.environ, **environment, "HEALTH_PORT": str(self.port)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module], cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    def ready(self) -> dict[str, Any]:
        """The body of /ready; empty when nobody answers."""
        try:
            answer: dict[str, Any] = httpx.get(f"http://127.0.0.1:{self.port}/ready", timeout=5).json()
        except httpx.HTTPError:
            return {}
        return answer

    def wait_until_ready(self, *, within_seconds: float = 100.0) -> None:
        def is_ready() -> bool:
            if self._running().poll() is not None:
                raise RuntimeError(f"the worker ended: {self.log_path.read_text()[-3000:]}")
            return self.ready().get("status") == "ready"

        wait_until(is_ready, within_seconds=within_seconds, what=f"{self.module} ready")

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Every log line of the event, in order, across restarts."""
        lines = [json.loads(line) for line in self._log_lines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def wait_until_logged(self, event: str, count: int = 1, *, within_seconds: float = 30.0) -> None:
        wait_until(lambda: len(self.logged(event)) >= count, within_seconds=within_seconds, what=event)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """SIGTERM; the exit status."""
        return self._end(signal.SIGTERM)

    def ask_to_stop(self) -> None:
        """SIGTERM, heard when this returns."""
        self._running().send_signal(signal.SIGTERM)
        self.wait_until_logged("stop_signal")

    def wait_until_ended(self) -> int:
        """The exit status."""
        return self._running().wait(STOP_SECONDS)

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def exit_status(self) -> int | None:
        """How it ended; None while it runs."""
        return self._running().poll()

    def _log_lines(self) -> list[str]:
        # Up to the last line that is complete: the process may be writing.
        return self.log_path.read_text().split("\n")[:-1]

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def _end(self, number: signal.Signals) -> int:
        self._running().send_signal(number)
        return self.wait_until_ended()


@contextlib.contextmanager
def running_worker(
    module: str,
    *,
    storage: azurite_process.AzuriteProcess,
    broker: broker_process.BrokerProcess,
    log_path: Path,
    environment: Mapping[str, str],
) -> Iterator[WorkerProcess]:
    """A worker that is ready before the body runs and gone after it."""
    around = {
        "AZURE_STORAGE_CONNECTION_STRING": storage.connection_string,
        "SERVICE_BUS_CONNECTION_STRING": broker.connection_string,
    }
    worker = WorkerProcess(module, {**around, **environment}, log_path)
    worker.start()
    try:
        worker.wait_until_ready()
        yield worker
    finally:
        if worker.is_running():
            worker.kill()
