"""A log that cannot be written stops no process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

BROKER = "from local_stack.broker.__main__ import configure_logging; configure_logging()"
HOST = "from local_stack.functions_host.__main__ import _configure_logs; _configure_logs()"
WORKER = "from worker_kit import logs; logs.configure(level='INFO', worker_id='w')"
# Left without the flush at the end, which would fail on its own.
SPEAK = "import structlog, os; structlog.get_logger().error('disk_full'); os._exit(7)"


@pytest.mark.parametrize("configure", [BROKER, HOST, WORKER], ids=["broker", "functions_host", "worker"])
def test_process_goes_on_when_its_log_is_on_a_full_disk(configure: str) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", f"{configure}; {SPEAK}"],
            cwd=ROOT,
            stdout=full,
            stderr=full,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 7
