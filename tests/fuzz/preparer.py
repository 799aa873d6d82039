"""`prepare` in a process of its own, so that what kills it is known: `python -m tests.fuzz.preparer`.

Reads file names, a line each; answers each with a line of JSON: the code, empty when it went well.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parents[2]
LONGEST_SECONDS: Final = 60.0
LIMIT_SECONDS: Final = 20.0
"""Of one file; the slowest honest one takes a fraction of it."""


class Preparer:
    """Prepares files; raises AssertionError for one that kills the process, or comes to no known end."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._folder.cleanup()

    def prepare(self, data: bytes) -> str:
        """The code of the failure; empty for a recording that could be prepared."""
        path = Path(self._folder.name) / "file"
        path.write_bytes(data)
        began = time.monotonic()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            self._process = self._start()
            raise AssertionError(f"the process that prepares ended with {status}")
        assert time.monotonic() - began < LIMIT_SECONDS, "a small file took long"
        code: str = json.loads(line)["code"]
        return code

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.preparer"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def _stop(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def main() -> None:
    """Until the input ends."""
    from lid_worker.prepare.handler import PrepareHandler
    from tests.unit.lid_worker import steps_bench
    from worker_kit import failures

    handler = PrepareHandler()
    handler.load()
    for line in sys.stdin:
        code = ""
        with tempfile.TemporaryDirectory() as folder:
            bench = steps_bench.Bench(workspace=Path(folder))
            try:
                source = bench.upload(Path(line.strip()).read_bytes())
                bench.prepare(handler, source, longest_recording_seconds=LONGEST_SECONDS)
            except Exception as error:  # noqa: BLE001 - as the worker makes an outcome of it
                outcome = failures.outcome_of(error)
                code = str(getattr(outcome, "code", outcome.status))
        sys.stdout.write(json.dumps({"code": code}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
