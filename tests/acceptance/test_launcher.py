"""The launcher as a process: killed, started again on the same state, and stopped with Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import client
from contracts import jobs
from local_stack.demo import recordings
from local_stack.launcher import description, state
from tests.acceptance import waiting
from tests.acceptance.command import REPOSITORY

pytestmark = [pytest.mark.acceptance_long, pytest.mark.timeout(400)]

START_LIMIT_SECONDS = 120.0


@contextlib.contextmanager
def _launcher(folder: state.StateFolder) -> Iterator[tuple[subprocess.Popen[str], description.Description]]:
    """A launcher whose stack is ready; killed at the end unless the body ended it."""
    options = ["--profile", "fixtures", "--state", str(folder.root)]
    for port in ("--port", "--blob-port", "--broker-port", "--counts-port", "--postgres-port"):
        options += [port, "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "local_stack.launcher", *options],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            waiting.until(
                lambda: _ready(folder, process) is not None,
                "the stack to be ready",
                limit_seconds=START_LIMIT_SECONDS,
            )
            stack = folder.read()
            assert stack is not None
            yield process, stack
        finally:
            process.kill()


def _ready(folder: state.StateFolder, process: subprocess.Popen[str]) -> description.Description | None:
    assert process.poll() is None, f"the launcher ended: {process.stdout.read() if process.stdout else ''}"
    stack = folder.read()
    return stack if stack is not None and stack.ready and stack.pid == process.pid else None


def _gone(stack: description.Description) -> bool:
    return all(
        view.pid is None or description.birth(view.pid) != view.born for view in stack.processes.values()
    )


def test_job_outlives_a_killed_launcher_and_ctrl_c_leaves_nothing_running(
    tmp_path: Path, media: Path
) -> None:
    folder = state.StateFolder(root=tmp_path / "stack")
    with _launcher(folder) as (process, stack):
        with client.SpeechFlow(stack.url) as speech:
            job_id = speech.submit(recordings.long_english(media).path).job_id
            waiting.until(
                lambda: speech.get(job_id).status is jobs.JobStatus.PROCESSING, f"{job_id} to be processed"
            )
        process.kill()
        process.wait(10)
        waiting.until(lambda: _gone(stack), "every process to end with its launcher", limit_seconds=15)
    with _launcher(folder) as (process, stack):
        with client.SpeechFlow(stack.url) as speech:
            ended = speech.wait(job_id, timeout_seconds=200)
            assert ended.status is jobs.JobStatus.COMPLETED, ended.error
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert _gone(stack)
        assert not folder.stack_file.exists()
