"""The processes of the local stack: their command lines, settings, order and readiness."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from local_stack import azurite, postgres
from local_stack.launcher import engines, ports, readiness, service, state

REPOSITORY: Final = Path(__file__).resolve().parents[2]
QUEUES: Final = REPOSITORY / "local_stack" / "Config.json"
DATABASE: Final = "speechflow"
DRAIN_SECONDS: Final = 10.0
MODEL_LIMIT_SECONDS: Final = 1800.0
"""A worker that downloads a real model first may take so long to be ready."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the stack is made of."""

    folder: state.StateFolder
    ports: ports.Ports
    environment: Mapping[str, str]
    """The launcher's own, without what belongs to other stacks."""
    engines: engines.Choice
    account: azurite.Account
    lid_workers: int = 1
    gpu_workers: int = 1
    health_ports: tuple[int, ...] = ()
    """One for each worker."""
    _database_url: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{ports.LOOPBACK}:{self.ports.api}"

    @property
    def counts_url(self) -> str:
        return f"http://{ports.LOOPBACK}:{self.ports.counts}/counts"

    def services(self) -> list[service.Service]:
        """In the order in which they start."""
        servers = [self._postgres(), self._azurite(), self._broker()]
        health = iter(self.health_ports)
        workers = [
            self._worker(package, number, next(health), models)
            for package, count, models in (
                ("lid_worker", self.lid_workers, self.engines.lid_worker),
                ("gpu_worker", self.gpu_workers, self.engines.gpu_worker),
            )
            for number in range(1, count + 1)
        ]
        # The workers load their models while the host starts: each waits for what it needs by itself.
        return [*servers, self._functions_host(), *workers]

    def credentials(self) -> dict[str, str]:
        """The connection strings, secrets included. Only after PostgreSQL has started."""
        storage = self.account.connection_string(self.ports.blobs)
        return {
            "AzureWebJobsStorage": storage,
            "AZURE_STORAGE_CONNECTION_STRING": storage,
            "SERVICE_BUS_CONNECTION_STRING": self._broker_connection_string(),
            "DATABASE_URL": self._database_url[-1],
        }

    def _postgres(self) -> service.Service:
        directory = self.folder.root / "postgres"
        log = self._log("postgres")

        def launch() -> subprocess.Popen[bytes]:
            server = postgres.start(directory, self.ports.postgres, log=log)
            try:
                self._database_url.append(server.create_database(DATABASE))
            except BaseException:
                # Nobody would know of it, and the next one would find its port taken.
                server.kill()
                raise
            return server.process

        return service.Service(
            name="postgres",
            stage=0,
            launch=launch,
            ready=readiness.listens(self.ports.postgres),
            log=log,
            address=f"{ports.LOOPBACK}:{self.ports.postgres}",
            # SIGTERM would wait until every client has gone.
            stop_signal=signal.SIGINT,
        )

    def _azurite(self) -> service.Service:
        directory = self.folder.root / "azurite"
        directory.mkdir(parents=True, exist_ok=True)
        program = service.Program(
            command=azurite.command(directory, self.ports.blobs),
            environment={**self.environment, **self.account.environment()},
            directory=directory,
            log=self._log("azurite"),
            # With SIGKILL it would forget the last seconds.
            last_signal=signal.SIGTERM,
        )
        return service.Service(
            name="azurite",
            stage=0,
            launch=program.launch,
            ready=readiness.listens(self.ports.blobs),
            log=program.log,
            address=self.account.url(self.ports.blobs),
        )

    def _broker(self) -> service.Service:
        options = ["--config", str(QUEUES), "--port", str(self.ports.broker)]
        options += ["--counts-port", str(self.ports.counts), "--state", str(self.folder.root / "broker")]
        program = self._python("broker", "local_stack.broker", options, {})
        return service.Service(
            name="broker",
            stage=0,
            launch=program.launch,
            ready=readiness.answers(f"http://{ports.LOOPBACK}:{self.ports.counts}/health"),
            log=program.log,
            address=f"amqp://{ports.LOOPBACK}:{self.ports.broker}, queues: {self.counts_url}",
        )

    def _functions_host(self) -> service.Service:
        options = ["--port", str(self.ports.api), "--root", str(REPOSITORY)]

        def launch() -> subprocess.Popen[bytes]:
            own = {"FUNCTIONS_HOST_DATABASE_DIR": str(self.folder.root / "functions_host")}
            settings = {**self.credentials(), **self.engines.app, **own, "FUNCTIONS_WORKER_RUNTIME": "python"}
            return self._python("functions_host", "local_stack.functions_host", options, settings).launch()

        return service.Service(
            name="functions_host",
            stage=1,
            launch=launch,
            ready=readiness.answers(f"{self.url}/ready"),
            log=self._log("functions_host"),
            address=f"{self.url}, documentation: {self.url}/docs",
            stop_limit_seconds=25.0,
        )

    def _worker(
        self, package: str, number: int, health_port: int, models: Mapping[str, str]
    ) -> service.Service:
        name = package if number == 1 else f"{package}_{number}"

        def launch() -> subprocess.Popen[bytes]:
            settings = {
                **self.credentials(),
                **models,
                "WORKER_ID": name,
                "HEALTH_PORT": str(health_port),
                "DRAIN_SECONDS": str(DRAIN_SECONDS),
            }
            return self._python(name, package, [], settings).launch()

        address = f"http://{ports.LOOPBACK}:{health_port}"
        return service.Service(
            name=name,
            stage=1,
            launch=launch,
            ready=readiness.answers(f"{address}/ready"),
            log=self._log(name),
            address=f"{address}/metrics",
            start_limit_seconds=MODEL_LIMIT_SECONDS,
            stop_limit_seconds=DRAIN_SECONDS + 5,
        )

    def _python(
        self, name: str, module: str, options: list[str], settings: Mapping[str, str]
    ) -> service.Program:
        return service.Program(
            command=[sys.executable, "-m", module, *options],
            environment={**self.environment, **settings, "PYTHONUNBUFFERED": "1"},
            directory=REPOSITORY,
            log=self._log(name),
        )

    def _log(self, name: str) -> Path:
        return self.folder.logs / f"{name}.log"

    def _broker_connection_string(self) -> str:
        # Without the flag, spelt exactly so, the SDK would talk TLS to port 5671.
        return (
            f"Endpoint=sb://{ports.LOOPBACK}:{self.ports.broker};SharedAccessKeyName=local;"
            "SharedAccessKey=local;UseDevelopmentEmulator=true;"
        )
