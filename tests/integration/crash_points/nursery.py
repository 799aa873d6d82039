"""Real processes at the price of a fork: one process imports the servers, and forks a child for each.

python -m tests.integration.crash_points.nursery reads one JSON line per child from its standard input,
`{"module": …, "arguments": […]}`, forks, calls the module's `main(*arguments)` in the child, and writes the
child's pid; and for `{"reap": pid}` the child's exit status, or 1000 while it runs. Nobody else can wait for
them.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
_FAILED = 70
_STILL_RUNS = 1000
_LOOK_AGAIN_SECONDS = 0.02


def serve() -> None:
    """Until the standard input ends; then whatever still runs is killed."""
    children: set[int] = set()
    for line in sys.stdin:
        request = json.loads(line)
        if "reap" in request:
            pid, status = os.waitpid(request["reap"], os.WNOHANG)
            children.discard(pid)
            answer = os.waitstatus_to_exitcode(status) if pid else _STILL_RUNS
        else:
            importlib.import_module(request["module"])  # once, here: the children inherit it
            answer = _fork(request)
            children.add(answer)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    for child in children:
        os.kill(child, signal.SIGKILL)


def _fork(request: Any) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115 - the child's for as long as it lives
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, sys.stdout.fileno())
        os.dup2(log, sys.stderr.fileno())
        importlib.import_module(request["module"]).main(*request["arguments"])
    except BaseException:  # noqa: BLE001 - a child must not go on as its parent, whatever happened
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(_FAILED)
    os._exit(0)


class Nursery:
    """The other end: starts children, ends them, and says how they ended."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._one_at_a_time = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, module: str, *arguments: str) -> int:
        """The pid of a new process that runs `module.main(*arguments)`."""
        return self._ask({"module": module, "arguments": arguments, "log": str(self.log)})

    def reap(self, pid: int) -> int:
        """Wait for a child's end, as long as pytest does; its exit code, negative for a signal."""
        while (status := self._ask({"reap": pid})) == _STILL_RUNS:
            time.sleep(_LOOK_AGAIN_SECONDS)
        return status

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        self.reap(pid)

    def close(self) -> None:
        self._process.communicate(timeout=20)

    def _ask(self, request: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._one_at_a_time:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        assert line, "the nursery has ended"
        return int(line)


if __name__ == "__main__":
    serve()
