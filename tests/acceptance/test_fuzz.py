"""Minutes of nonsense for the whole stack: no answer of 500, no process that dies, no job that stays.

FUZZ_SECONDS is how long each surface gets, 120 by default: more than ten minutes in all. FUZZ_SEED is where
it begins; the seed of every round is printed. Examples that failed are kept in FUZZ_FOLDER, outside of the
repository, and come first the next time.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSender
from azure.storage.blob import BlobServiceClient, ContainerClient
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase

import client
from contracts import api, blobs, drop_folder, identity, jobs, queues
from local_stack.demo import recordings
from local_stack.launcher import stack
from tests.acceptance import waiting
from tests.fuzz import originals, preparer, shapes
from tests.fuzz.test_surfaces import FILES_ENDS

SECONDS: Final = float(os.environ.get("FUZZ_SECONDS", "120"))
FIRST_SEED: Final = int(os.environ.get("FUZZ_SEED", "1"))
FOLDER: Final = Path(os.environ.get("FUZZ_FOLDER", Path(tempfile.gettempdir()) / "speech-flow-fuzz"))
ROUND: Final = 40
"""Examples between two looks at the clock."""
END_LIMIT_SECONDS: Final = 240.0
MOST_MESSAGES: Final = 3000
MOST_JOBS: Final = 300
ANSWERS: Final = "default/drop-folder/"
"""Where, in `results`, people find what became of what they dropped."""

pytestmark = [pytest.mark.endurance, pytest.mark.timeout(SECONDS + END_LIMIT_SECONDS + 120)]


def fuzz(examples: st.SearchStrategy[Any], check: Callable[[Any], None], *, most: int = sys.maxsize) -> int:
    """Checks examples until the time is over, or so many of them; how many it were."""
    began, count = time.monotonic(), 0
    for number in itertools.count(FIRST_SEED):
        _say(f"fuzzing with seed {number}, {count} examples so far")

        def counted(example: Any) -> None:
            nonlocal count
            count += 1
            check(example)

        rounds = settings(
            max_examples=ROUND,
            deadline=None,
            database=DirectoryBasedExampleDatabase(FOLDER),
            suppress_health_check=list(HealthCheck),
            phases=(Phase.reuse, Phase.generate, Phase.shrink),
        )
        rounds(seed(number)(given(examples)(counted)))()
        if time.monotonic() - began > SECONDS or count >= most:
            break
    return count


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


@pytest.fixture
def unharmed(local_stack: stack.Stack) -> Iterator[None]:
    """No process was started again meanwhile, and all that was in the queues is gone in the end."""
    before = local_stack.pids()
    yield
    waiting.until(lambda: _waiting(local_stack) == 0, "the queues to empty", limit_seconds=END_LIMIT_SECONDS)
    assert local_stack.pids() == before


def _waiting(running: stack.Stack) -> int:
    """Messages in any state, dead letters included."""
    counts = running.counts()["queues"]
    return sum(
        int(counts[queue][state]) for queue in queues.Queue for state in ("active", "locked", "dead_letter")
    )


@pytest.fixture(scope="module")
def http(local_stack: stack.Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=local_stack.url, timeout=60, trust_env=False) as opened:
        yield opened


@pytest.fixture(scope="module")
def ended_job(speech: client.SpeechFlow) -> str:
    """A job that is over: what is said in its name changes nothing any more."""
    job_id = speech.submit(recordings.sample("english.flac").path).job_id
    assert speech.wait(job_id, timeout_seconds=110).status is jobs.JobStatus.COMPLETED
    return job_id


REQUESTS: Final = st.one_of(
    st.tuples(st.just("submit"), shapes.documents(originals.SUBMISSION)),
    st.tuples(st.just("list"), shapes.QUERIES),
    st.tuples(st.just("path"), st.tuples(shapes.METHODS, shapes.PATHS, st.binary(max_size=50))),
)


@pytest.mark.usefixtures("unharmed")
def test_no_request_is_answered_with_500(http: httpx.Client) -> None:
    def check(example: tuple[str, Any]) -> None:
        kind, what = example
        if kind == "submit":
            answer = http.post("/jobs", content=what, headers={"content-type": "application/json"})
        elif kind == "list":
            answer = http.get("/jobs", params={name: _utf8(value) for name, value in what.items()})
        else:
            method, parts, body = what
            path = "/".join(quote(_utf8(part), safe="") for part in parts)
            # Whole, because a path of its own must not begin with two slashes.
            answer = http.request(method, f"{str(http.base_url).rstrip('/')}/{path}", content=body)
        assert answer.status_code < 500, answer.text
        # A path with a line break is no path of any function: the host refuses it in its own words.
        of_the_host = answer.status_code == 404 and "%0A" in str(answer.url)
        if answer.status_code >= 400 and answer.content and not of_the_host:
            assert api.Problem.model_validate_json(answer.content).detail

    _say(f"{fuzz(REQUESTS, check)} requests")


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("queue", list(queues.Queue))
def test_no_message_harms_who_reads_it(
    local_stack: stack.Stack, speech: client.SpeechFlow, ended_job: str, queue: queues.Queue
) -> None:
    of_event = queue is queues.Queue.JOB_EVENTS
    document = originals.event() if of_event else originals.request()
    document["job_id"] = ended_job
    document["reply_to"]["instance_id"] = identity.instance_id(job_id=ended_job, run=1)
    before = speech.get(ended_job)
    connection = local_stack.credentials["SERVICE_BUS_CONNECTION_STRING"]
    with (
        ServiceBusClient.from_connection_string(connection) as bus,
        bus.get_queue_sender(queue.value) as sender,
    ):
        count = fuzz(
            shapes.documents(document),
            lambda body: _send(sender, body),
            most=MOST_MESSAGES if SECONDS > 60 else 400,
        )
    _say(f"{count} messages to {queue}")
    waiting.until(lambda: _waiting(local_stack) == 0, "the queues to empty", limit_seconds=END_LIMIT_SECONDS)
    assert speech.get(ended_job) == before


def _send(sender: ServiceBusSender, body: bytes) -> None:
    # Unlike a real one it is not worth keeping for long, should nobody take it.
    sender.send_messages(ServiceBusMessage(body))


@pytest.mark.usefixtures("unharmed")
def test_every_job_with_a_damaged_file_ends(speech: client.SpeechFlow, tmp_path: Path) -> None:
    sent: list[str] = []

    def check(data: bytes) -> None:
        path = tmp_path / "file.mp3"
        path.write_bytes(data or b"\0")
        sent.append(speech.submit(path).job_id)

    fuzz(shapes.files(originals.recordings()), check, most=MOST_JOBS)
    _say(f"{len(sent)} files")
    deadline = time.monotonic() + END_LIMIT_SECONDS
    for job_id in sent:
        ended = speech.wait(job_id, timeout_seconds=max(1.0, deadline - time.monotonic()))
        assert ended.status in (
            jobs.JobStatus.COMPLETED,
            jobs.JobStatus.PARTIAL_COMPLETE,
            jobs.JobStatus.FAILED,
        )
        if ended.error is not None:
            assert ended.error.code in FILES_ENDS


@pytest.mark.usefixtures("unharmed")
def test_every_dropped_file_is_answered_whatever_its_manifest(local_stack: stack.Stack) -> None:
    connection = local_stack.credentials["AzureWebJobsStorage"]
    with BlobServiceClient.from_connection_string(connection) as storage:
        dropped: list[str] = []

        def check(manifest: bytes) -> None:
            path = f"fuzzed/{len(dropped)}.mp3"
            for name, data in ((f"{path}{drop_folder.MANIFEST_SUFFIX}", manifest), (path, b"No sound.")):
                storage.get_blob_client(blobs.Container.DROP_FOLDER, name).upload_blob(data)
            dropped.append(path)

        fuzz(shapes.documents(originals.MANIFEST), check, most=MOST_JOBS)
        _say(f"{len(dropped)} manifests")
        waiting_for = set(dropped)
        answers = storage.get_container_client(blobs.Container.RESULTS)

        def all_answered() -> bool:
            waiting_for.difference_update(_answered(answers, waiting_for))
            return not waiting_for

        waiting.until(all_answered, "an answer to each file", limit_seconds=END_LIMIT_SECONDS)


def _answered(answers: ContainerClient, paths: set[str]) -> Iterator[str]:
    """Those that were rejected with a sentence, or whose job has ended."""
    for name in answers.list_blob_names(name_starts_with=f"{ANSWERS}fuzzed/"):
        path = name.removeprefix(ANSWERS).rpartition("/")[0]
        if path in paths and name.endswith(".json"):
            receipt = drop_folder.Receipt.model_validate_json(answers.download_blob(name).readall())
            if receipt.rejection is not None:
                assert len(receipt.rejection.message.split()) > 3
            if receipt.rejection is not None or receipt.status in jobs.TERMINAL:
                yield path


def test_no_damaged_file_crashes_what_prepares_it() -> None:
    with preparer.Preparer() as preparing:

        def check(data: bytes) -> None:
            code = preparing.prepare(data)
            assert code in FILES_ENDS, code

        _say(f"{fuzz(shapes.files(originals.recordings()), check)} files")
