"""Whatever people send: it comes out right, or they are told in a sentence what to do."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

import client
from contracts import api, errors, jobs, results
from local_stack.demo import checks, recordings
from local_stack.launcher import engines, ports, stack
from tests.integration.faults_table import bombs

JOB_LIMIT_SECONDS: Final = 110.0
CODING_WORD_ERROR_RATE: Final = 0.12
"""One word of nine: a lossy codec or 8 kHz may cost that much of a tiny model's sentence."""


@dataclass(frozen=True, kw_only=True)
class File:
    """A file and what must become of its job."""

    name: str
    maker: str
    """As make_media's `--only` calls it."""
    status: jobs.JobStatus = jobs.JobStatus.COMPLETED
    codes: frozenset[errors.ErrorCode] = frozenset()
    says: str = ""
    """Part of the error's sentence or of a warning."""
    speaks: bool = True
    """The English sample's text must come out."""


def refused(name: str, maker: str, says: str, *codes: errors.ErrorCode) -> File:
    return File(
        name=name, maker=maker, says=says, status=jobs.JobStatus.FAILED, codes=frozenset(codes), speaks=False
    )


Code = errors.ErrorCode
QUICK: Final = (
    refused("text.mp3", "text", "upload a recording, for example WAV", Code.NOT_AUDIO),
    refused("truncated.m4a", "truncated-m4a", "pload", Code.CORRUPT_AUDIO),
    refused("video-without-sound.mp4", "video-without-sound", "upload a recording", Code.NO_AUDIO_TRACK),
    File(name="silence.wav", maker="silence", says="no speech was found", speaks=False),
    File(name="short.wav", maker="short", speaks=False),
    File(name="telephone-8k.wav", maker="telephone"),
    File(name="english.webm", maker="webm"),
    File(name="two-tracks.mkv", maker="two-tracks", says="has 2 audio tracks, and only track 1 was used"),
)
SLOW: Final = (
    File(name="stereo-48k-float.wav", maker="stereo"),
    File(name="surround-5.1.wav", maker="surround"),
    File(name="english.m4a", maker="m4a"),
    File(name="english.ogg", maker="ogg"),
    File(name="english.mkv", maker="mkv"),
    File(name="english.mp3", maker="mp3"),
    File(name="truncated.mp3", maker="truncated-mp3", speaks=False, says="could be decoded"),
)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """Files of one table, all of them under way at once."""

    speech: client.SpeechFlow
    folder: Path
    jobs: Mapping[str, str]

    def ended(self, file: File) -> api.JobView:
        return self.speech.wait(self.jobs[file.name], timeout_seconds=JOB_LIMIT_SECONDS)

    def text(self, file: File) -> str:
        """What is really said in it."""
        facts = json.loads((self.folder / "media.json").read_text("utf-8"))[file.name]
        return str(json.loads((self.folder / facts["reference"]).read_text("utf-8"))["text"])


def send(speech: client.SpeechFlow, folder: Path, files: tuple[File, ...]) -> Sent:
    recordings.make_media(folder, *(file.maker for file in files))
    sent = {file.name: speech.submit(folder / file.name).job_id for file in files}
    return Sent(speech=speech, folder=folder, jobs=sent)


@pytest.fixture(scope="module")
def quick(speech: client.SpeechFlow, tmp_path_factory: pytest.TempPathFactory) -> Sent:
    return send(speech, tmp_path_factory.mktemp("quick"), QUICK)


@pytest.fixture(scope="module")
def slow(speech: client.SpeechFlow, tmp_path_factory: pytest.TempPathFactory) -> Sent:
    return send(speech, tmp_path_factory.mktemp("slow"), SLOW)


def _name(file: File) -> str:
    return file.name


@pytest.mark.parametrize("file", QUICK, ids=_name)
def test_file_ends_as_it_should(quick: Sent, file: File) -> None:
    check(quick, file)


@pytest.mark.acceptance_long
@pytest.mark.parametrize("file", SLOW, ids=_name)
def test_every_other_container_and_codec_comes_out_right(slow: Sent, file: File) -> None:
    check(slow, file)


def check(sent: Sent, file: File) -> None:
    ended = sent.ended(file)
    assert ended.status is file.status, ended.error
    if ended.error is not None:
        assert ended.error.code in file.codes
        assert_says(ended.error.message, file.says)
        return
    left = sent.speech.results(ended.job_id)
    assert left.transcript is not None
    assert file.says in " ".join(left.warnings)
    if file.speaks:
        assert checks.word_error_rate(sent.text(file), left.transcript.text) <= CODING_WORD_ERROR_RATE
    assert_files_are_there(sent.speech, left)


def assert_says(sentence: str, part: str) -> None:
    assert part in sentence
    assert len(sentence.split()) > 4
    assert sentence.endswith(".")


def assert_files_are_there(speech: client.SpeechFlow, left: api.JobResults) -> None:
    """Also of a recording without a word: its files are empty, not missing."""
    data = httpx.get(left.files["transcript.json"], trust_env=False).raise_for_status().content
    assert results.Transcript.model_validate_json(data) == left.transcript


def test_silence_is_completed_with_an_empty_transcript_that_says_so(quick: Sent) -> None:
    (silence,) = [file for file in QUICK if file.maker == "silence"]
    left = quick.speech.results(quick.ended(silence).job_id)
    assert left.transcript is not None
    assert (left.transcript.text, left.transcript.segments) == ("", ())
    assert {step.skipped_because for step in left.steps if step.skipped_because} >= {"no speech was found"}


@pytest.mark.parametrize(("name", "code"), [("slow.flac", Code.CORRUPT_AUDIO), ("hole.mkv", Code.TOO_LONG)])
def test_decompression_bomb_is_refused(
    speech: client.SpeechFlow, tmp_path: Path, name: str, code: errors.ErrorCode
) -> None:
    bombs.MAKERS[name](tmp_path / name)
    ended = speech.wait(speech.submit(tmp_path / name).job_id, timeout_seconds=JOB_LIMIT_SECONDS)
    assert ended.error is not None
    assert (ended.status, ended.error.code) == (jobs.JobStatus.FAILED, code)
    assert ended.error.message.endswith(".")


# Requests ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request and its refusal."""

    body: Any
    status: int
    code: errors.ProblemCode
    says: str


Problem = errors.ProblemCode
REFUSED: Final = {
    "unknown language": Request(
        body={"file_name": "a.wav", "source_language": "xx-nowhere"},
        status=422,
        code=Problem.UNKNOWN_LANGUAGE,
        says="xx-nowhere",
    ),
    "unknown target": Request(
        body={"file_name": "a.wav", "target_language": "klingonese"},
        status=422,
        code=Problem.UNKNOWN_LANGUAGE,
        says="klingonese",
    ),
    "unknown workflow": Request(
        body={"file_name": "a.wav", "workflow": "make_tea"},
        status=422,
        code=Problem.UNKNOWN_WORKFLOW,
        says="full_pipeline",
    ),
    "no language": Request(
        body={"file_name": "a.wav", "workflow": "transcribe_only"},
        status=422,
        code=Problem.SOURCE_LANGUAGE_REQUIRED,
        says="give it",
    ),
    "300 characters": Request(
        body={"file_name": "a" * 296 + ".wav"}, status=422, code=Problem.FILE_NAME_NOT_ALLOWED, says="255"
    ),
    "zero byte": Request(
        body={"file_name": "a\0.wav"}, status=422, code=Problem.FILE_NAME_NOT_ALLOWED, says="another name"
    ),
    "no name": Request(
        body={"file_name": ""}, status=422, code=Problem.FILE_NAME_NOT_ALLOWED, says="file_name"
    ),
    "unknown option": Request(
        body={"file_name": "a.wav", "colour": "red"}, status=422, code=Problem.UNKNOWN_OPTION, says="colour"
    ),
    "stated too large": Request(
        body={"file_name": "a.wav", "size_bytes": 20 * 1024**3 + 1},
        status=413,
        code=Problem.UPLOAD_TOO_LARGE,
        says="at most",
    ),
    "a list": Request(body=[1], status=422, code=Problem.INVALID_REQUEST, says="object"),
}


@pytest.fixture(scope="module")
def http(local_stack: stack.Stack) -> Iterator[httpx.Client]:
    """For requests that the client would not send."""
    with httpx.Client(base_url=local_stack.url, timeout=30, trust_env=False) as opened:
        yield opened


@pytest.mark.parametrize("asked", REFUSED.values(), ids=REFUSED)
def test_request_is_refused_with_its_code_and_a_sentence(http: httpx.Client, asked: Request) -> None:
    assert_problem(http.post("/jobs", json=asked.body), asked.status, asked.code, asked.says)


def test_body_that_is_no_json_is_refused(http: httpx.Client) -> None:
    headers = {"content-type": "application/json"}
    answer = http.post("/jobs", content=b"{file_name: a", headers=headers)
    assert_problem(answer, 400, Problem.INVALID_REQUEST, "not JSON")


def assert_problem(answer: httpx.Response, status: int, code: errors.ProblemCode, says: str) -> api.Problem:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = api.Problem.model_validate_json(answer.content)
    assert (answer.status_code, problem.status, problem.code) == (status, status, code)
    assert says in problem.detail
    return problem


@pytest.mark.parametrize(
    "file_name",
    [
        "../../etc/passwd",
        "会议录音 第3次.wav",
        "a" * 251 + ".wav",
        "..",
        "CON",
        'a"b<script>.wav',
        "%2e%2e%2f.wav",
    ],
)
def test_strange_file_name_is_kept_and_never_a_path(http: httpx.Client, file_name: str) -> None:
    created = api.JobCreated.model_validate_json(http.post("/jobs", json={"file_name": file_name}).content)
    assert http.get(f"/jobs/{created.job_id}").json()["file_name"] == file_name
    path = httpx.URL(created.upload_url).path
    assert path.endswith(f"/audio-files/default/{created.job_id}/source")


def test_start_before_the_upload_says_what_to_do_first(http: httpx.Client) -> None:
    created = http.post("/jobs", json={"file_name": "a.wav"}).json()
    answer = http.post(f"/jobs/{created['job_id']}/start")
    assert_problem(answer, 409, Problem.UPLOAD_MISSING, "PUT the file to the job's upload_url first")
    assert http.get(f"/jobs/{created['job_id']}").json()["status"] == "pending_upload"


def test_empty_upload_is_refused_and_may_be_put_again(http: httpx.Client, media: Path) -> None:
    created = http.post("/jobs", json={"file_name": "empty.wav"}).json()
    put(created, b"")
    answer = http.post(f"/jobs/{created['job_id']}/start")
    assert_problem(answer, 409, Problem.UPLOAD_EMPTY, "PUT it again")
    put(created, (media / "text.mp3").read_bytes())
    assert http.post(f"/jobs/{created['job_id']}/start").status_code == 202


def put(created: Mapping[str, Any], data: bytes) -> None:
    headers = created["upload_headers"]
    httpx.put(created["upload_url"], content=data, headers=headers, trust_env=False).raise_for_status()


def test_results_before_the_end_are_refused_with_the_status(http: httpx.Client) -> None:
    created = http.post("/jobs", json={"file_name": "a.wav"}).json()
    answer = http.get(f"/jobs/{created['job_id']}/results")
    problem = assert_problem(answer, 409, Problem.JOB_NOT_FINISHED, "not there yet")
    assert problem.job_status is jobs.JobStatus.PENDING_UPLOAD


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/results"), ("POST", "/start"), ("POST", "/cancel"), ("DELETE", "")],
)
@pytest.mark.parametrize("job_id", ["0" * 32, "nothing", "%00", "..%2f..%2fhealth", "x" * 500])
def test_job_that_is_unknown_is_not_found(http: httpx.Client, method: str, path: str, job_id: str) -> None:
    answer = http.request(method, f"/jobs/{job_id}{path}")
    problem = api.Problem.model_validate_json(answer.content)
    assert answer.status_code == 404
    assert problem.code in (Problem.JOB_NOT_FOUND, Problem.NOT_FOUND)


# A stack with low limits ---------------------------------------------------------------------------

LOW_LIMITS: Final = {
    "LONGEST_RECORDING_SECONDS": "2",
    "LARGEST_SOURCE_BYTES": "2000000",
    # A second or so; the sweep that looks for them comes once a minute.
    "UPLOAD_EXPIRY_HOURS": "0.0005",
}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[client.SpeechFlow]:
    """Takes two seconds, two megabytes, and no waiting."""
    options = stack.StackOptions(
        state=tmp_path_factory.mktemp("strict"),
        ports=ports.ANY,
        profile=engines.Profile.FIXTURES,
        environment={**os.environ, **LOW_LIMITS},
    )
    with stack.Stack(options, tell=_say) as running, client.SpeechFlow(running.url) as connected:
        yield connected


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


@pytest.mark.acceptance_long
@pytest.mark.timeout(300)
def test_limits_of_a_deployment_are_kept_and_named(strict: client.SpeechFlow, tmp_path: Path) -> None:
    never_uploaded = strict.create(api.JobSubmission(file_name="never.wav")).job_id
    long = strict.submit(recordings.sample("english.flac").path).job_id
    unannounced = strict.create(api.JobSubmission(file_name="large.wav"))
    put(unannounced.model_dump(mode="json"), bytes(2_000_001))
    with pytest.raises(client.errors.RequestRefusedError, match="at most 2000000 are taken") as caught:
        strict.start(unannounced.job_id)
    assert caught.value.code == Problem.UPLOAD_TOO_LARGE
    ended = strict.wait(long, timeout_seconds=JOB_LIMIT_SECONDS)
    assert ended.error is not None
    assert (ended.status, ended.error.code) == (jobs.JobStatus.FAILED, Code.TOO_LONG)
    assert_says(ended.error.message, "cut it into shorter files")
    for job_id in (never_uploaded, unannounced.job_id):
        assert strict.wait(job_id, timeout_seconds=JOB_LIMIT_SECONDS).status is jobs.JobStatus.EXPIRED
    with pytest.raises(client.errors.ConflictError, match="expired") as refused_start:
        strict.start(never_uploaded)
    assert refused_start.value.code == Problem.JOB_NOT_STARTABLE
