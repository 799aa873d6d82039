"""What a launcher started ends with it, even when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local_stack.launcher import description

LAUNCHER = """
import os, pathlib, signal, sys, time
from local_stack.launcher import service
child = service.Program(
    command=[sys.executable, "-c", "import time; time.sleep(600)"],
    environment=dict(os.environ),
    directory=pathlib.Path.cwd(),
    log=pathlib.Path(sys.argv[1]) / "child.log",
).launch()
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_child_ends_with_a_killed_launcher(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as launcher:
        assert launcher.stdout is not None
        child = int(launcher.stdout.readline())
        assert description.birth(child) is not None
        launcher.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 10
        while description.birth(child) is not None:
            assert time.monotonic() < deadline, f"{child} outlived its launcher"
            time.sleep(0.02)


def test_birth_of_this_process_is_known_and_of_a_dead_one_is_not() -> None:
    assert description.birth(os.getpid()) is not None
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        ended.wait()
    assert description.birth(ended.pid) is None
