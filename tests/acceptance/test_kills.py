"""A process is killed while it works on a job: the job ends as if nothing had happened."""

from __future__ import annotations

from pathlib import Path

import pytest

import client
from contracts import jobs, queues, results
from local_stack.demo import recordings
from local_stack.launcher import stack
from tests.acceptance import waiting

JOB_LIMIT_SECONDS = 100.0


@pytest.fixture(scope="module")
def undisturbed(speech: client.SpeechFlow, media: Path) -> results.Transcript:
    """What the recording comes to when nobody is killed."""
    return _transcript(speech, speech.submit(recordings.long_english(media).path).job_id)


@pytest.mark.parametrize(
    ("victim", "queue"),
    [
        ("lid_worker", queues.Queue.LID_JOBS),
        ("gpu_worker", queues.Queue.WHISPER_JOBS),
        ("functions_host", queues.Queue.WHISPER_JOBS),
        ("broker", queues.Queue.WHISPER_JOBS),
    ],
)
def test_job_survives_a_kill(
    local_stack: stack.Stack,
    speech: client.SpeechFlow,
    media: Path,
    undisturbed: results.Transcript,
    victim: str,
    queue: queues.Queue,
) -> None:
    restarts = local_stack.restarts(victim)
    job_id = speech.submit(recordings.long_english(media).path).job_id
    waiting.until(lambda: _held(local_stack, queue) > 0, f"a worker to hold a message of {queue}")
    local_stack.kill(victim)
    local_stack.wait_restarted(victim, restarts=restarts + 1, timeout_seconds=60)
    transcript = _transcript(speech, job_id)
    assert transcript.segments == undisturbed.segments
    assert transcript.coverage == undisturbed.coverage
    assert all(pid for pid in local_stack.pids().values())


def _held(local_stack: stack.Stack, queue: queues.Queue) -> int:
    return int(local_stack.counts()["queues"][queue]["locked"])


def _transcript(speech: client.SpeechFlow, job_id: str) -> results.Transcript:
    ended = speech.wait(job_id, timeout_seconds=JOB_LIMIT_SECONDS)
    assert ended.status is jobs.JobStatus.COMPLETED, ended.error
    transcript = speech.results(job_id).transcript
    assert transcript is not None
    return transcript
