"""The state folder has one launcher at a time, and survives the death of one."""

from __future__ import annotations

import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local_stack.launcher import description, errors, state


def _describe(pid: int, *, born: str | None) -> description.Description:
    process = description.ProcessView(
        pid=pid, born=born, ready=True, restarts=0, address="127.0.0.1:1", log=Path("host.log")
    )
    return description.Description(
        pid=4711,
        started_at=datetime.now(UTC),
        ready=True,
        url="http://127.0.0.1:7071",
        counts_url="http://127.0.0.1:5673/counts",
        engines={},
        processes={"functions_host": process},
    )


def test_second_launcher_is_told_what_runs(tmp_path: Path) -> None:
    folder = state.StateFolder(root=tmp_path)
    with folder.held():
        folder.write(_describe(1, born=None))
        with pytest.raises(errors.AlreadyRunningError) as caught, folder.held():
            pass
    assert "runs already: http://127.0.0.1:7071 (launcher pid 4711" in str(caught.value)
    assert "functions_host 1" in str(caught.value)


def test_folder_is_free_again_and_describes_nothing_after_a_stop(tmp_path: Path) -> None:
    folder = state.StateFolder(root=tmp_path)
    with folder.held():
        folder.write(_describe(1, born=None))
    assert folder.read() is None
    with folder.held():
        pass


def test_leftover_of_a_killed_launcher_is_ended_before_the_next_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "LEFTOVER_LIMIT_SECONDS", 0.1)
    folder = state.StateFolder(root=tmp_path)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as leftover:
        folder.write(_describe(leftover.pid, born=description.birth(leftover.pid)))
        with folder.held():
            assert leftover.wait(5) == -9


def test_stranger_with_a_recycled_pid_is_left_alone(tmp_path: Path) -> None:
    folder = state.StateFolder(root=tmp_path)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger:
        folder.write(_describe(stranger.pid, born="1"))
        with folder.held():
            assert stranger.poll() is None
        stranger.kill()


def test_secrets_are_for_the_owner_and_stay_the_same(tmp_path: Path) -> None:
    folder = state.StateFolder(root=tmp_path)
    key = folder.account().key
    folder.write_credentials({"DATABASE_URL": "postgresql://secret"})
    assert folder.account().key == key
    for path in (folder.credentials_file, tmp_path / "storage-key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
