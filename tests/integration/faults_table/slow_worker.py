"""The worker, on a disk that takes SECONDS for each chunk; run as a module."""

from __future__ import annotations

import sys
import time
from typing import Any
from unittest import mock

import soundfile

from lid_worker import __main__ as worker
from tests.integration.worker_kit import servers

SECONDS = 3.0 * servers.LOCK_SECONDS
"""Longer than a message stays locked, unless its lock is renewed."""
_write = soundfile.write


def _slowly(*arguments: Any, **options: Any) -> None:
    time.sleep(SECONDS)
    _write(*arguments, **options)


if __name__ == "__main__":
    with mock.patch.object(soundfile, "write", _slowly):
        sys.exit(worker.main())
