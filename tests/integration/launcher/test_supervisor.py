"""Processes are started in order, restarted when they die, and gone at the end."""

from __future__ import annotations

import contextlib
import os
import signal
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from local_stack.launcher import description, errors, managed, ports, service, supervisor
from tests.integration.launcher import toys

LIMIT_SECONDS = 45.0


class Running:
    """A supervisor in a thread, and what it said."""

    def __init__(self, services: Sequence[service.Service]) -> None:
        self.said: list[str] = []
        self.changes: list[list[int | None]] = []
        """The processes' ids at each change."""
        self.stop = threading.Event()
        self.hurry = threading.Event()
        self.started = threading.Event()
        self.error: errors.LauncherError | None = None
        self.keeper = supervisor.Supervisor(services, tell=self.said.append, on_change=self._note)
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.keeper.start(self.stop)
            self.started.set()
            self.keeper.keep(self.stop)
        except errors.LauncherError as error:
            self.error = error
        finally:
            self.started.set()
            self.keeper.stop(self.hurry)

    def _note(self) -> None:
        self.changes.append([member.pid for member in self.keeper.members])

    def begin(self) -> None:
        self._thread.start()
        assert self.started.wait(LIMIT_SECONDS)

    def end(self) -> None:
        self.stop.set()
        self._thread.join()

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LIMIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)


@contextlib.contextmanager
def supervised(*services: service.Service) -> Iterator[Running]:
    running = Running(services)
    running.begin()
    try:
        yield running
    finally:
        running.end()


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_stages_become_ready_one_after_another_and_all_end(tmp_path: Path) -> None:
    first, second = ports.free(2)
    with supervised(
        toys.listener(tmp_path, "storage", first), toys.listener(tmp_path, "host", second, stage=1)
    ) as running:
        pids = [member.pid for member in running.keeper.members]
        assert running.error is None
        assert [line.split()[0] for line in running.said] == ["storage", "host"]
    assert all(pid is not None and _gone(pid) for pid in pids)


def test_killed_process_is_back_and_it_is_said(tmp_path: Path) -> None:
    (port,) = ports.free(1)
    with supervised(toys.listener(tmp_path, "worker", port)) as running:
        (member,) = running.keeper.members
        assert member.pid is not None
        os.kill(member.pid, signal.SIGKILL)
        running.until(lambda: member.restarts == 1 and member.phase is managed.Phase.READY)
    assert running.said[1] == "worker died (killed by SIGKILL); starting it again in 0.2 s"
    assert running.said[2].startswith("worker is back after")


def test_process_that_dies_at_once_fails_the_start_with_its_log(tmp_path: Path) -> None:
    broken = toys.toy(tmp_path, "host", "raise SystemExit('the setting X is missing')", ready=lambda: "no")
    with supervised(broken) as running:
        assert isinstance(running.error, errors.StartFailedError)
    assert "host did not start: ended with status 1" in str(running.error)
    assert "the setting X is missing" in str(running.error)


def test_process_that_dies_again_and_again_is_given_up_loudly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managed, "LONGEST_PAUSE_SECONDS", 0.05)
    (port,) = ports.free(1)
    flag = tmp_path / "healthy"
    flag.touch()
    source = f"import pathlib\nassert pathlib.Path({str(flag)!r}).exists(), 'the disk is gone'\n"
    # One text of one indentation, as toys.toy takes it.
    listening = "\n".join(
        line.strip("\n") for line in [source, textwrap.dedent(toys.LISTENER.format(port=port))]
    )
    with supervised(toys.toy(tmp_path, "worker", listening, port=port)) as running:
        (member,) = running.keeper.members
        flag.unlink()
        assert member.pid is not None
        os.kill(member.pid, signal.SIGKILL)
        running.until(lambda: running.error is not None)
    assert isinstance(running.error, errors.GaveUpError)
    assert f"worker died {managed.MOST_FAILED_STARTS} times in a row" in str(running.error)
    assert "the disk is gone" in str(running.error)


def test_process_that_does_not_end_is_killed_and_it_is_said(tmp_path: Path) -> None:
    log = tmp_path / "deaf.log"

    def ready() -> str | None:
        return None if log.exists() and "deaf" in log.read_text() else "not yet"

    with supervised(toys.toy(tmp_path, "deaf", toys.DEAF, ready=ready, stop_limit_seconds=0.2)) as running:
        pid = running.keeper.members[0].pid
    assert pid is not None
    assert _gone(pid)
    assert running.said[-1] == "deaf had to be killed"


def test_hurry_is_heard_while_a_process_is_waited_for(tmp_path: Path) -> None:
    log = tmp_path / "deaf.log"

    def ready() -> str | None:
        return None if log.exists() and "deaf" in log.read_text() else "not yet"

    with supervised(toys.toy(tmp_path, "deaf", toys.DEAF, ready=ready, stop_limit_seconds=600)) as running:
        (member,) = running.keeper.members
        running.stop.set()
        running.until(lambda: member.phase is managed.Phase.STOPPED)
        running.hurry.set()
        running.until(lambda: running.said[-1] == "deaf had to be killed")


def test_process_that_was_ready_each_time_is_started_again_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managed, "LONGEST_PAUSE_SECONDS", 0.05)
    poisoned = toys.toy(tmp_path, "worker", toys.SLEEPER)
    with supervised(poisoned) as running:
        (member,) = running.keeper.members
        for death in range(1, managed.MOST_FAILED_STARTS + 2):
            assert member.process is not None
            member.process.kill()
            running.until(lambda: member.restarts == death and member.phase is managed.Phase.READY)  # noqa: B023
        assert running.error is None


def test_process_that_is_started_again_is_known_before_it_is_ready(tmp_path: Path) -> None:
    allowed = threading.Event()
    allowed.set()
    slow = toys.toy(tmp_path, "worker", toys.SLEEPER, ready=lambda: None if allowed.is_set() else "loading")
    with supervised(slow) as running:
        (member,) = running.keeper.members
        first = member.pid
        assert member.process is not None
        allowed.clear()
        member.process.kill()
        running.until(lambda: running.changes[-1][0] not in (None, first))
        assert member.phase is managed.Phase.STARTING


def test_stop_during_the_first_stage_starts_no_second(tmp_path: Path) -> None:
    running = Running(
        [
            toys.toy(tmp_path, "storage", toys.SLEEPER, ready=lambda: "never"),
            toys.toy(tmp_path, "host", toys.SLEEPER, stage=1),
        ]
    )
    running.stop.set()
    running.begin()
    running.end()
    assert [member.process for member in running.keeper.members] == [None, None]


def test_children_of_a_killed_process_do_not_outlive_it(tmp_path: Path) -> None:
    (port,) = ports.free(1)
    listening = textwrap.dedent(toys.LISTENER.format(port=port))
    source = (
        "import subprocess, sys, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(tmp_path / 'child')!r}).write_text(str(child.pid))\n{listening}"
    )
    with supervised(toys.toy(tmp_path, "worker", source, port=port)) as running:
        child = int((tmp_path / "child").read_text())
        (member,) = running.keeper.members
        assert member.pid is not None
        os.kill(member.pid, signal.SIGKILL)
        running.until(lambda: member.restarts == 1 and member.phase is managed.Phase.READY)
        # A zombie counts as gone: who reaps it is not the launcher's affair.
        running.until(lambda: description.birth(child) is None)
