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
    return sum(_stat(pid)[11:13]) / os.sysconf("SC_CLK_TCK")


def family_cpu_seconds(pid: int) -> float:
    """The same of a process, its children of now and those that it has waited for (fields 14 to 17)."""
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    own = sum(_stat(pid)[11:15]) / os.sysconf("SC_CLK_TCK")
    return own + sum(family_cpu_seconds(child) for child in children)


def _stat(pid: int) -> list[int]:
    """The numbers of /proc/PID/stat from field 3 on; the state, which is a letter, as 0."""
    _state, *numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return [0, *map(int, numbers)]


def resident_mib(pid: int) -> float:
    """The memory of a process that is in use now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
