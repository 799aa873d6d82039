"""What the platform itself costs a job: the whole local stack with engines that take no time.

PostgreSQL, Azurite, broker and functions host run as `make up` runs them; in place of lid_worker and
gpu_worker one process answers every request at once: it writes the results and sends the events that real
workers would (three chunks per job). So nothing has to be subtracted: all time is overhead, the writing of
results and the offline summary included. Overhead of a job: from the start of its submission (create, upload,
start) to its `finished_at`; jobs are submitted one at a time. Jobs per second: several submitted side by
side, from the first submission to the last `finished_at`.
"""

from __future__ import annotations

import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import client
from benchmarks import processes, report
from contracts import jobs
from local_stack.launcher import engines, ports, stack

ALONE: Final = 15
TOGETHER: Final = 40
SUBMITTERS: Final = 4
_WARM_UP: Final = 3
_PATIENCE_SECONDS: Final = 180.0
_RECORDING: Final = report.ROOT / "tests" / "fixtures" / "samples" / "english.flac"


def run() -> dict[str, Any]:
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        options = stack.StackOptions(
            state=Path(folder),
            ports=ports.ANY,
            profile=engines.Profile.FIXTURES,
            lid_workers=0,
            gpu_workers=0,
        )
        with stack.Stack(options, tell=lambda _line: None) as running:
            workers = _start_workers(running)
            try:
                alone, per_second, cpu = _measure(running, workers.pid)
            finally:
                workers.kill()
                workers.wait()
    quantiles = statistics.quantiles(alone, n=20)
    report.show(
        "Pipeline: full_pipeline jobs of three chunks, engines that take no time",
        ("what", "value"),
        [
            ("jobs one at a time", ALONE),
            ("overhead, least s", min(alone)),
            ("overhead, median s", statistics.median(alone)),
            ("overhead, p95 s", quantiles[18]),
            (f"jobs together, from {SUBMITTERS} clients", TOGETHER),
            ("jobs/s", per_second),
            *((f"processor s per job, {name}", seconds) for name, seconds in cpu.items()),
            ("processor s per job, all", sum(cpu.values())),
        ],
    )
    return {
        "overhead_median_seconds": round(statistics.median(alone), 3),
        "overhead_p95_seconds": round(quantiles[18], 3),
        "jobs_per_second": round(per_second, 2),
    }


def _start_workers(running: stack.Stack) -> subprocess.Popen[bytes]:
    names = ("AZURE_STORAGE_CONNECTION_STRING", "SERVICE_BUS_CONNECTION_STRING")
    environment = {name: running.credentials[name] for name in names}
    path = {"PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "benchmarks.instant_workers"]
    return subprocess.Popen(command, cwd=report.ROOT, env={**path, **environment})


def _measure(running: stack.Stack, workers_pid: int) -> tuple[list[float], float, dict[str, float]]:
    pids = {**running.pids(), "workers": workers_pid}
    for _ in range(_WARM_UP):
        _job(running.url)
    alone = [ended - began for began, ended in (_job(running.url) for _ in range(ALONE))]
    before = _cpu(pids)
    with ThreadPoolExecutor(SUBMITTERS) as pool:
        began = time.time()
        ends = [ended for _began, ended in pool.map(_job, [running.url] * TOGETHER)]
    used = {name: (seconds - before[name]) / TOGETHER for name, seconds in _cpu(pids).items()}
    return alone, TOGETHER / (max(ends) - began), used


def _cpu(pids: Mapping[str, int]) -> dict[str, float]:
    return {name: processes.family_cpu_seconds(pid) for name, pid in pids.items()} | {
        "clients": time.process_time()
    }


def _job(url: str) -> tuple[float, float]:
    """When it was submitted and when it ended, by the clock that both sides share."""
    with client.SpeechFlow(url) as speech:
        began = time.time()
        job_id = speech.submit(_RECORDING).job_id
        view = speech.wait(job_id, timeout_seconds=_PATIENCE_SECONDS)
    if view.status is not jobs.JobStatus.COMPLETED or view.finished_at is None:
        raise AssertionError(f"Job {job_id} ended {view.status}.")
    return began, view.finished_at.timestamp()
