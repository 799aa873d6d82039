"""Requests, retries and waiting, against a scripted server."""

from __future__ import annotations

import itertools
from pathlib import Path

import httpx
import pytest

import client
from client import errors as client_errors
from contracts import api, errors, jobs
from tests.unit.client import answers


def test_job_is_read_into_its_view() -> None:
    def server(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/jobs/job-1"
        return answers.ok(answers.view())

    assert answers.speech_flow(server).get("job-1").status is jobs.JobStatus.COMPLETED


def test_strange_job_id_stays_one_segment_of_the_path() -> None:
    seen: list[bytes] = []

    def server(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path)
        return answers.problem(404, errors.ProblemCode.JOB_NOT_FOUND)

    with pytest.raises(client_errors.NotFoundError):
        answers.speech_flow(server).get("../admin?x")
    assert seen == [b"/jobs/..%2Fadmin%3Fx"]


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (404, errors.ProblemCode.JOB_NOT_FOUND, client_errors.NotFoundError),
        (409, errors.ProblemCode.JOB_ALREADY_FINISHED, client_errors.ConflictError),
        (413, errors.ProblemCode.UPLOAD_TOO_LARGE, client_errors.InvalidRequestError),
        (422, errors.ProblemCode.UNKNOWN_LANGUAGE, client_errors.InvalidRequestError),
        (500, errors.ProblemCode.INTERNAL_ERROR, client_errors.RequestRefusedError),
    ],
)
def test_problem_becomes_its_error_with_its_code(
    status: int, code: errors.ProblemCode, expected: type[client_errors.RequestRefusedError]
) -> None:
    with pytest.raises(expected) as caught:
        answers.speech_flow(lambda _: answers.problem(status, code)).get("job-1")
    assert (caught.value.code, caught.value.job_id) == (code, "job-1")


def test_answer_of_another_service_is_named_as_such() -> None:
    with pytest.raises(client_errors.UnexpectedAnswerError, match="is this server a Speech Flow"):
        answers.speech_flow(lambda _: httpx.Response(200, text="<html>")).get("job-1")


def test_busy_server_is_asked_again_after_what_it_says() -> None:
    slept: list[float] = []
    replies = iter(
        [
            httpx.Response(503, headers={"retry-after": "7"}),
            httpx.Response(503),
            answers.ok(answers.view()),
        ]
    )
    answers.speech_flow(lambda _: next(replies), slept=slept).get("job-1")
    assert slept == [7.0, 0.4]


def test_server_that_stays_busy_is_given_up_with_its_reason() -> None:
    slept: list[float] = []
    busy = answers.problem(503, errors.ProblemCode.STORE_UNAVAILABLE, "The job store does not answer.")
    with pytest.raises(client_errors.ServerBusyError, match="job store"):
        answers.speech_flow(lambda _: busy, slept=slept).get("job-1")
    assert slept == [0.2, 0.4, 0.8, 1.6]


def test_absent_server_is_one_sentence_that_says_make_up() -> None:
    def server(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(client_errors.ServerUnreachableError, match="make up"):
        answers.speech_flow(server).get("job-1")


def test_creating_a_job_whose_answer_was_lost_is_not_repeated() -> None:
    asked: list[str] = []

    def server(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        raise httpx.ReadError("reset", request=request)

    with pytest.raises(client_errors.ServerUnreachableError):
        answers.speech_flow(server).create(api.JobSubmission(file_name="a.wav"))
    assert asked == ["POST"]


def test_wait_shows_every_view_and_ends_with_the_last() -> None:
    statuses = iter([jobs.JobStatus.QUEUED, jobs.JobStatus.PROCESSING, jobs.JobStatus.FAILED])
    seen: list[jobs.JobStatus] = []
    speech = answers.speech_flow(lambda _: answers.ok(answers.view(next(statuses))))
    ended = speech.wait("job-1", on_view=lambda view: seen.append(view.status))
    assert ended.status is jobs.JobStatus.FAILED
    assert seen == [jobs.JobStatus.QUEUED, jobs.JobStatus.PROCESSING, jobs.JobStatus.FAILED]


def test_wait_outlives_a_server_that_goes_away_for_a_while() -> None:
    turns = itertools.count()

    def server(request: httpx.Request) -> httpx.Response:
        if next(turns) < 12:
            raise httpx.ConnectError("refused", request=request)
        return answers.ok(answers.view())

    assert answers.speech_flow(server).wait("job-1").status is jobs.JobStatus.COMPLETED


def test_wait_gives_up_on_a_server_that_stays_away() -> None:
    def server(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(client_errors.ServerUnreachableError):
        answers.speech_flow(server).wait("job-1", outage_seconds=0.0)


def test_wait_is_no_longer_for_an_absent_server_than_for_the_job() -> None:
    def server(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(client_errors.ServerUnreachableError) as caught:
        answers.speech_flow(server).wait("job-1", timeout_seconds=0.0)
    assert caught.value.job_id == "job-1"


def test_value_that_cannot_be_sent_is_told(tmp_path: Path) -> None:
    path = tmp_path / "talk.wav"
    path.touch()
    speech = answers.speech_flow(lambda _: httpx.Response(500))
    with pytest.raises(client_errors.InvalidValueError, match="speaker"):
        speech.submit(path, metadata={"speaker": 7})  # type: ignore[dict-item]


def test_wait_that_times_out_says_that_the_job_goes_on() -> None:
    speech = answers.speech_flow(lambda _: answers.ok(answers.view(jobs.JobStatus.PROCESSING)))
    with pytest.raises(client_errors.WaitTimedOutError, match="it goes on: speechflow watch job-1"):
        speech.wait("job-1", timeout_seconds=0.0)


def test_page_sends_the_filters_that_were_given_and_no_others() -> None:
    asked: list[dict[str, str]] = []

    def server(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        return answers.ok(api.JobList(jobs=(), next_cursor=None))

    answers.speech_flow(server).page(status=jobs.JobStatus.FAILED, limit=5, created_from=answers.MOMENT)
    assert asked == [{"status": "failed", "limit": "5", "created_from": "2026-11-20T12:00:00+00:00"}]


def test_file_that_is_not_there_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    def server(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"nothing should be asked, but {request.url} was")

    with pytest.raises(client_errors.FileUnreadableError, match=r"no\.wav cannot be read: No such file"):
        answers.speech_flow(server).submit(tmp_path / "no.wav")


def test_results_are_saved_under_their_plain_names(tmp_path: Path) -> None:
    speech = answers.speech_flow(lambda request: httpx.Response(200, text=request.url.path))
    results = answers.job_results({"transcript.srt": f"{answers.URL}/srt", "../../etc/x": f"{answers.URL}/x"})
    saved = speech.save(results, tmp_path / "out")
    assert sorted(path.name for path in saved) == ["transcript.srt", "x"]
    assert all(path.parent == tmp_path / "out" for path in saved)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["transcript.srt", "x"]


def test_link_that_has_expired_is_told_with_the_job(tmp_path: Path) -> None:
    speech = answers.speech_flow(lambda _: httpx.Response(403))
    with pytest.raises(client_errors.DownloadFailedError, match="storage answered 403") as caught:
        speech.save(answers.job_results({"a.txt": f"{answers.URL}/a"}), tmp_path)
    assert caught.value.job_id == "job-1"
    assert list(tmp_path.iterdir()) == []


def test_package_exports_what_programs_need() -> None:
    assert client.SpeechFlow is not None
    assert client.errors is client_errors
