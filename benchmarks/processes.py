"""The servers that benchmarks start, and what they cost."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import report

_STOP_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class Broker:
    """A broker process and how to reach it."""

    pid: int
    port: int

    @property
    def connection_string(self) -> str:
        return (
            f"Endpoint=sb://localhost:{self.port};SharedAccessKeyName=local;SharedAccessKey=local;"
            "UseDevelopmentEmulator=true;"
        )


@contextlib.contextmanager
def broker(folder: Path, queues: Mapping[str, Any], *, port: int = 0) -> Iterator[Broker]:
    """A broker with its state in the folder; killed at the end, as nothing has to be kept."""
    config = folder / "Config.json"
    entries = [{"Name": name, "Properties": properties} for name, properties in queues.items()]
    config.write_text(json.dumps({"UserConfig": {"Namespaces": [{"Name": "bench", "Queues": entries}]}}))
    command = [sys.executable, "-m", "local_stack.broker", "--config", str(config), "--port", str(port)]
    command += ["--counts-port", "0", "--state", str(folder / "state")]
    with (
        (folder / "broker.log").open("a") as log,
        subprocess.Popen(command, cwd=report.ROOT, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            assert process.stdout is not None  # noqa: S101 - said to mypy
            ready = json.loads(process.stdout.readline())
            yield Broker(pid=process.pid, port=ready["port"])
        finally:
            process.kill()
            process.wait(_STOP_SECONDS)


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processor so far (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """The memory of a process that is in use now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
