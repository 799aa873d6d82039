"""The jobs that are disturbed: recordings whose results are known from an undisturbed run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import client
from client import connection, errors, retries, uploads
from contracts import api, jobs
from local_stack.demo import recordings

LONG_SECONDS: Final = 150
LONGEST_CHUNK_SECONDS: Final = 20.0
"""So that the long recording has many chunks, and its lanes something to do."""

Answer = TypeVar("Answer")

PATIENT: Final = retries.RetryPolicy(attempts=20, longest_wait_seconds=2.0)
"""Outlasts the restart of any process."""
SUBMIT_LIMIT_SECONDS: Final = 180.0


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A recording, and what is wanted of it."""

    name: str
    path: Path
    workflow: jobs.Workflow = jobs.Workflow.FULL_PIPELINE
    source_language: str | None = None

    def submission(self, **metadata: str) -> api.JobSubmission:
        return api.JobSubmission(
            workflow=self.workflow,
            file_name=self.path.name,
            source_language=self.source_language,
            size_bytes=self.path.stat().st_size,
            metadata=metadata,
        )


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """A job that the server has taken."""

    job_id: str
    kind: Kind


def make_kinds(folder: Path) -> list[Kind]:
    """Every kind of job, with the recordings that are not in the repository made in `folder`."""
    recordings.make_media(folder, "video", "long", options=["--seconds", str(LONG_SECONDS)])
    long, video = recordings.long_english(folder).path, recordings.video(folder).path
    english, spanish, mandarin, cantonese = (
        recordings.sample(name).path for name in recordings.LANGUAGE_SAMPLES
    )
    return [
        Kind(name="long", path=long),
        Kind(name="english", path=english),
        Kind(name="spanish", path=spanish),
        Kind(
            name="long, language given",
            path=long,
            workflow=jobs.Workflow.TRANSCRIBE_ONLY,
            source_language="en",
        ),
        Kind(name="mandarin", path=mandarin),
        Kind(name="cantonese, language only", path=cantonese, workflow=jobs.Workflow.LID_ONLY),
        Kind(name="video", path=video),
        Kind(
            name="spanish, language given",
            path=spanish,
            workflow=jobs.Workflow.TRANSCRIBE_ONLY,
            source_language="es",
        ),
    ]


def mix(kinds: Sequence[Kind], count: int) -> list[Kind]:
    """`count` jobs in which every kind comes about equally often."""
    return [kinds[number % len(kinds)] for number in range(count)]


@dataclass(kw_only=True)
class Sender:
    """Makes jobs and uploads their files as a patient person does: what fails is done again.

    A request for a new job whose answer was lost may leave a job that never gets its file; the server lets
    it expire. Every other job is started, or left to the upload's own trigger, by turns.
    """

    url: str
    sent: list[Submitted] = field(default_factory=list)
    _started: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send_all(
        self, kinds: Sequence[Kind], *, gate: Callable[[], object] = lambda: None
    ) -> list[Submitted]:
        """All of them, three at a time. `gate` is called before each, and may hold it back."""
        with client.SpeechFlow(self.url, policy=PATIENT) as speech, futures.ThreadPoolExecutor(3) as pool:
            waiting = []
            for kind in kinds:
                gate()
                waiting.append(pool.submit(self.send, speech, kind))
            return [each.result() for each in waiting]

    def send(self, speech: client.SpeechFlow, kind: Kind) -> Submitted:
        created = _again(lambda: speech.create(kind.submission(kind=kind.name)))
        with connection.Connection(self.url, policy=PATIENT) as server:
            _again(lambda: uploads.upload(server, kind.path, created))
        with self._lock:
            self._started += 1
            announce = self._started % 2 == 0
        if announce:
            _again(lambda: speech.start(created.job_id))
        submitted = Submitted(job_id=created.job_id, kind=kind)
        with self._lock:
            self.sent.append(submitted)
        return submitted


def _again(request: Callable[[], Answer]) -> Answer:
    deadline = time.monotonic() + SUBMIT_LIMIT_SECONDS
    while True:
        try:
            return request()
        except errors.SpeechFlowError as error:
            if not error.retryable or time.monotonic() > deadline:
                raise
        time.sleep(0.5)
