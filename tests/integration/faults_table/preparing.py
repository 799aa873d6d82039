"""`prepare` in a process of its own: `python -m tests.integration.faults_table.preparing FILE SECONDS`.

SECONDS is the longest recording that is allowed. Prints one JSON object: code and message, empty when it went
well, and what it used beyond what it had loaded.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from lid_worker.prepare.handler import PrepareHandler
from tests.unit.lid_worker import steps_bench
from worker_kit import failures


def main() -> None:
    """Command line."""
    file, longest_seconds = Path(sys.argv[1]), float(sys.argv[2])
    handler = PrepareHandler()
    handler.load()
    handler.warm_up()
    with tempfile.TemporaryDirectory() as folder:
        bench = steps_bench.Bench(workspace=Path(folder))
        source = bench.upload(file.read_bytes())
        before_kib, began = _peak_kib(), time.monotonic()
        code = message = ""
        try:
            bench.prepare(handler, source, longest_recording_seconds=longest_seconds)
        except Exception as error:  # noqa: BLE001 - as the worker makes an outcome of it
            outcome = failures.outcome_of(error)
            code, message = getattr(outcome, "code", ""), getattr(outcome, "message", "")
        sizes = [path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()]
        print(  # noqa: T201 - what the caller reads
            json.dumps(
                {
                    "code": code,
                    "message": message,
                    "seconds": time.monotonic() - began,
                    "extra_mib": (_peak_kib() - before_kib) / 1024,
                    "disk_bytes": sum(sizes),
                }
            )
        )


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
