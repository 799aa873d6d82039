"""Jobs are found, listed, cancelled, and strangers among them refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import client
from contracts import api, jobs
from local_stack.demo import recordings
from local_stack.launcher import stack
from tests.acceptance import waiting
from tests.acceptance.command import REPOSITORY, Command


@pytest.fixture(scope="module")
def three_jobs(speech: client.SpeechFlow) -> list[str]:
    """Ids of jobs of one language, oldest first."""
    english = recordings.sample("english.flac").path
    submitted = [speech.submit(english, workflow=jobs.Workflow.LID_ONLY) for _ in range(3)]
    return [speech.wait(view.job_id, timeout_seconds=60).job_id for view in submitted]


def test_pages_follow_one_another_newest_first(speechflow: Command, three_jobs: list[str]) -> None:
    filters = ["--workflow", "lid_only", "--language", "en", "--status", "completed", "--json"]
    listed: list[str] = []
    cursor: list[str] = []
    while True:
        page = speechflow("jobs", "--limit", "2", *filters, *cursor).object
        assert len(page["jobs"]) <= 2
        listed += [job["job_id"] for job in page["jobs"]]
        if page["next_cursor"] is None:
            break
        cursor = ["--cursor", page["next_cursor"]]
    assert [job_id for job_id in listed if job_id in three_jobs] == three_jobs[::-1]
    assert len(listed) == len(set(listed))


def test_filter_leaves_out_what_does_not_fit(speechflow: Command, three_jobs: list[str]) -> None:
    page = speechflow("jobs", "--workflow", "lid_only", "--language", "fr", "--json").object
    assert page["jobs"] == []


def test_show_names_every_step(speechflow: Command, three_jobs: list[str]) -> None:
    shown = speechflow("show", three_jobs[0], "--json").object
    assert [(step["step"], step["status"]) for step in shown["steps"]] == [
        ("prepare", "completed"),
        ("lid", "completed"),
    ]


def test_unknown_job_is_told_in_a_sentence(speechflow: Command) -> None:
    done = speechflow("show", "0" * 32)
    assert (done.status, done.output) == (1, "")
    assert f"no job {'0' * 32}" in done.messages


def test_unknown_language_is_wrong_usage(speechflow: Command) -> None:
    english = recordings.sample("english.flac").path
    done = speechflow("submit", english, "--source-language", "klingonese", "--json")
    assert done.status == 2
    assert done.object["error"]["code"] == "unknown_language"


def test_cancelled_job_stops_and_stays_cancelled(
    speechflow: Command, speech: client.SpeechFlow, media: Path
) -> None:
    job_id = speech.submit(recordings.long_english(media).path).job_id
    waiting.until(lambda: speech.get(job_id).status is jobs.JobStatus.PROCESSING, f"{job_id} to be processed")
    # Not by the command: on a busy machine it may take longer to start than the job takes to end.
    assert speech.cancel(job_id).status is jobs.JobStatus.CANCELLED
    watched = speechflow("watch", job_id, "--json")
    assert (watched.status, watched.object["status"]) == (1, "cancelled")
    assert speech.get(job_id).finished_at is not None


def test_job_that_waits_for_its_file_is_cancelled_by_the_command(
    speechflow: Command, speech: client.SpeechFlow
) -> None:
    job_id = speech.create(api.JobSubmission(file_name="never.wav")).job_id
    cancelled = speechflow("cancel", job_id, "--json")
    assert (cancelled.status, cancelled.object["status"]) == (0, "cancelled")


def test_second_launcher_says_what_runs_and_leaves_it_alone(local_stack: stack.Stack) -> None:
    before = local_stack.pids()
    second = subprocess.run(
        [sys.executable, "-m", "local_stack.launcher", "--state", str(local_stack.state_directory)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 0, second.stderr
    assert f"runs already: {local_stack.url} (launcher pid {os.getpid()}" in second.stdout
    assert local_stack.pids() == before
