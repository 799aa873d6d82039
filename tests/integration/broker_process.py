"""A real broker process for integration tests.

with broker_process.running_broker(config_path, state_directory) as broker:
    ServiceBusClient.from_connection_string(broker.connection_string)
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from local_stack import free_ports

_ROOT = Path(__file__).resolve().parents[2]
_READY_SECONDS = 20.0
_STOP_SECONDS = 10.0


class BrokerProcess:
    """One broker on free ports of 127.0.0.1; a restart keeps ports and state."""

    def __init__(
        self,
        config_path: Path,
        state_directory: Path,
        environment: Mapping[str, str],
        log_path: Path | None = None,
    ) -> None:
        self.port = free_ports.free_port()
        self.counts_port = free_ports.free_port()
        self.state_directory = state_directory
        self.log_path = log_path or state_directory.parent / f"{state_directory.name}.broker.log"
        self._config_path = config_path
        self._environment = dict(environment)
        self._process: subprocess.Popen[str] | None = None

    @property
    def connection_string(self) -> str:
        # The SDK keeps the port, and speaks without TLS, only for the exact word "true".
        return (
            f"Endpoint=sb://localhost:{self.port};SharedAccessKeyName=local;SharedAccessKey=local;"
            "UseDevelopmentEmulator=true;"
        )

    @property
    def counts_url(self) -> str:
        return f"http://127.0.0.1:{self.counts_port}/counts"

    @property
    def pid(self) -> int:
        return self._running().pid

    def start(self) -> None:
        """Start and wait for the ready line."""
        with self.log_path.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    *("-m", "local_stack.broker", "--config", str(self._config_path)),
                    *("--port", str(self.port), "--counts-port", str(self.counts_port)),
                    *("--state", str(self.state_directory)),
                ],
                cwd=_ROOT,
                env={**os.environ, **self._environment},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        ready = json.loads(self._ready_line(self._process))
        self.port, self.counts_port = ready["port"], ready["counts_port"]

    def _ready_line(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(_READY_SECONDS):
                self.kill()
                raise TimeoutError(f"The broker was not ready in {_READY_SECONDS} s: {self._logged()}")
        line = process.stdout.readline()
        if not line:
            process.wait(_STOP_SECONDS)
            raise RuntimeError(f"The broker ended with {process.returncode}: {self._logged()}")
        return line

    def _logged(self) -> str:
        return self.log_path.read_text() if self.log_path.is_file() else f"its log went to {self.log_path}"

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("The broker does not run.")
        return self._process

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, as a crash does."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """SIGTERM; return the exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        process = self._running()
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            status = process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        if process.stdout is not None:
            process.stdout.close()
        self._process = None
        return status

    def restart(self, *, kill: bool = True, away_seconds: float = 0.0) -> None:
        """End (hard unless told otherwise), stay away, and start on the same ports and state."""
        if self._process is not None:
            self._end(signal.SIGKILL if kill else signal.SIGTERM)
        time.sleep(away_seconds)
        self.start()


@contextlib.contextmanager
def running_broker(
    config_path: Path,
    state_directory: Path,
    environment: Mapping[str, str] | None = None,
    log_path: Path | None = None,
) -> Iterator[BrokerProcess]:
    """Start a broker on free ports and end it afterwards. `environment` adds SPEECHFLOW_BROKER_… settings.

    The log goes beside the state, unless `log_path` says where.
    """
    broker = BrokerProcess(config_path, state_directory, environment or {}, log_path)
    broker.start()
    try:
        yield broker
    finally:
        if broker.is_running():
            broker.terminate()
