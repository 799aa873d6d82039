"""Blocks that are freed and wanted again cost no page faults."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SCRIPT = """
import resource, sys
import numpy as np
from gpu_worker import memory
if sys.argv[1] == "kept" and not memory.keep_freed_memory():
    sys.exit("no mallopt")
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(5_000_000)
before = faults()
for _ in range(5):
    np.ones(5_000_000)
print(faults() - before)
"""


def _faults(mode: str) -> int:
    shown = subprocess.run([sys.executable, "-c", _SCRIPT, mode], capture_output=True, text=True, check=True)
    return int(shown.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_freed_memory_is_used_again_without_page_faults() -> None:
    assert _faults("kept") * 10 < _faults("given back")
