"""A newer release takes over while jobs run: what was begun ends as it began, what is new runs anew."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import client
from contracts import jobs
from tests.acceptance import waiting
from tests.faults import chaos, checker, ends, evidence, leftovers, released_stack, undisturbed, workload

pytestmark = [pytest.mark.acceptance_long, pytest.mark.timeout(600)]

END_LIMIT_SECONDS = 180.0
PIPELINE = "function_app/orchestrators/speech_pipeline.py"

# What a newer release may do differently: one more task before anything else, in new instances alone. An
# instance of the older version that took this way would not find the timer in its history, and fail.
BEGIN = "    begun: outcomes.Outcome = yield flow.call("
PAUSE_THEN_BEGIN = f"""
    if flow.context.version != "1.0":
        yield hands.sleep(flow.context, 0.1)
{BEGIN}"""
NOT_BEGUN = frozenset({jobs.JobStatus.PENDING_UPLOAD, jobs.JobStatus.QUEUED})


@pytest.fixture(scope="module")
def upgradable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[released_stack.ReleasedStack]:
    options = chaos.stack_options(tmp_path_factory.mktemp("upgradable"))
    with released_stack.ReleasedStack(options, tell=_say) as running:
        yield running


def test_every_job_ends_across_an_upgrade(upgradable: released_stack.ReleasedStack, tmp_path: Path) -> None:
    newer = released_stack.copy_release(
        tmp_path / "newer", version="1.1", edits={PIPELINE: (BEGIN, PAUSE_THEN_BEGIN)}
    )
    kinds = workload.make_kinds(tmp_path / "recordings")
    with (
        chaos.storage_of(upgradable) as storage,
        client.SpeechFlow(upgradable.url, policy=workload.PATIENT) as speech,
    ):
        expected = undisturbed.run(speech, storage, kinds)
        older_jobs = workload.Sender(url=upgradable.url).send_all(kinds)
        waiting.until(
            lambda: all(speech.get(job.job_id).status not in NOT_BEGUN for job in older_jobs),
            "every job to begin",
        )
        upgradable.upgrade(newer)
        open_at_upgrade = [job for job in older_jobs if speech.get(job.job_id).status not in jobs.TERMINAL]
        assert open_at_upgrade, "every job had ended before the upgrade"
        newer_jobs = workload.Sender(url=upgradable.url).send_all(kinds)
        submitted = [*older_jobs, *newer_jobs]
        deadline = time.monotonic() + END_LIMIT_SECONDS
        views = ends.wait(speech, [job.job_id for job in submitted], deadline=deadline)
        assert list(map(str, checker.unended(views.values()))) == []
        left = leftovers.wait_until_none(upgradable, storage, deadline=deadline)
        found = [evidence.collect(speech, storage, job) for job in submitted]
    differences = [each for one in found for each in checker.compare(one, expected[one.kind])]
    assert list(map(str, [*differences, *left])) == []
    versions = _versions(upgradable.logs / "functions_host.log")
    assert {versions[job.job_id] for job in older_jobs} == {"1.0"}
    assert {versions[job.job_id] for job in newer_jobs} == {"1.1"}
    assert all(_begins_with_a_pause(upgradable.url, job.job_id) for job in newer_jobs)
    assert not any(_begins_with_a_pause(upgradable.url, job.job_id) for job in older_jobs)


def _versions(log: Path) -> dict[str, str]:
    """The version under which each job's run was started, from the host's log."""
    entries = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.startswith("{")]
    return {
        entry["instance_id"].partition(".")[0]: entry["version"]
        for entry in entries
        if entry["event"] == "orchestration_started" and entry["orchestrator"] == "speech_pipeline"
    }


def _begins_with_a_pause(url: str, job_id: str) -> bool:
    status = httpx.get(
        f"{url}/runtime/webhooks/durabletask/instances/{job_id}.1",
        params={"showHistory": "true", "showInput": "false"},
        timeout=10,
        trust_env=False,
    ).json()
    kinds = [event["EventType"] for event in status["historyEvents"]]
    return "TimerFired" in kinds and kinds.index("TimerFired") < kinds.index("TaskCompleted")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
