"""The command's output and exit status, against a scripted server."""

from __future__ import annotations

import json
import os
from pathlib import Path

import httpx
import pytest
from rich import console
from typer import testing

import client
from client import cli, progress, speech_flow
from contracts import api, errors, jobs, steps
from tests.unit.client import answers


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, httpx.Response]:
    """Answers by 'METHOD /path'; anything else is a refused connection."""
    replies: dict[str, httpx.Response] = {}

    def handler(request: httpx.Request) -> httpx.Response:
        request.read()
        reply = replies.get(f"{request.method} {request.url.path}")
        if reply is None:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(reply.status_code, content=reply.content, headers=reply.headers)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(speech_flow, "SpeechFlow", lambda _url: answers.speech_flow(handler))
    return replies


@pytest.fixture
def recording(tmp_path: Path) -> str:
    path = tmp_path / "talk.wav"
    path.write_bytes(b"sound")
    return str(path)


def _run(*arguments: str) -> testing.Result:
    return testing.CliRunner().invoke(cli.app, list(arguments))


def _happy(script: dict[str, httpx.Response], view: api.JobView) -> None:
    script["POST /jobs"] = answers.ok(answers.created(), 201)
    script["PUT /blob"] = httpx.Response(201)
    script["POST /jobs/job-1/start"] = httpx.Response(202)
    script["GET /jobs/job-1"] = answers.ok(view)
    script["GET /jobs/job-1/results"] = answers.ok(answers.job_results())


def test_submit_and_wait_prints_one_json_object(script: dict[str, httpx.Response], recording: str) -> None:
    _happy(script, answers.view())
    result = _run("submit", recording, "--wait", "--json")
    printed = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (printed["job_id"], printed["status"], printed["language"]) == ("job-1", "completed", "en")
    assert printed["duration_seconds"] == 8.0
    assert printed["transcript"]["text"] == "Hello"
    segment = printed["transcript"]["segments"][0]
    assert (segment["start"], segment["end"], segment["words"][0]["text"]) == (0.0, 0.5, "Hello")
    assert {"translation", "summary", "files"} <= set(printed)
    assert "uploading" in result.stderr


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error is a terminal, as when somebody types the command."""
    screen = console.Console(stderr=True, force_terminal=True, width=100, _environ={"TERM": "xterm"})
    monkeypatch.setattr(cli, "standard_error", screen)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("command", [("submit", "FILE", "--wait"), ("watch", "job-1")], ids=" ".join)
def test_json_goes_to_the_pipe_while_bars_go_to_the_terminal(
    script: dict[str, httpx.Response], recording: str, command: tuple[str, ...]
) -> None:
    _happy(script, answers.view())
    result = _run(*(recording if part == "FILE" else part for part in command), "--json")
    assert json.loads(result.stdout)["job_id"] == "job-1"
    assert "completed" in result.stderr


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("command", [("submit", "FILE", "--wait"), ("watch", "job-1")], ids=" ".join)
def test_bars_are_not_drawn_over_the_results(
    script: dict[str, httpx.Response], recording: str, command: tuple[str, ...]
) -> None:
    _happy(script, answers.view())
    together = _run(*(recording if part == "FILE" else part for part in command)).output
    erase_line = "\x1b[2K"
    assert erase_line in together
    assert together.rindex(erase_line) < together.index("Hello")


def test_ctrl_c_exits_130_and_says_that_jobs_go_on(
    script: dict[str, httpx.Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> api.JobView:
        raise KeyboardInterrupt

    monkeypatch.setattr(client.SpeechFlow, "wait", interrupted)
    result = _run("watch", "job-1")
    assert (result.exit_code, result.stdout) == (130, "")
    assert "jobs that were started go on" in result.stderr


def test_server_that_goes_away_leaves_the_id_of_the_job(
    script: dict[str, httpx.Response], recording: str
) -> None:
    script["POST /jobs"] = answers.ok(answers.created(), 201)
    script["PUT /blob"] = httpx.Response(201)
    printed = json.loads(_run("submit", recording, "--wait", "--json").stdout)
    assert (printed["error"]["code"], printed["job_id"]) == ("server_unreachable", "job-1")


def test_several_files_give_one_object_a_line(script: dict[str, httpx.Response], recording: str) -> None:
    _happy(script, answers.view())
    lines = _run("submit", recording, recording, "--wait", "--json").stdout.splitlines()
    assert [json.loads(line)["job_id"] for line in lines] == ["job-1", "job-1"]


def test_file_that_is_refused_does_not_stop_the_others(
    script: dict[str, httpx.Response], recording: str
) -> None:
    _happy(script, answers.view())
    script["PUT /blob"] = httpx.Response(403)
    refused = _run("submit", recording, recording, "--wait", "--json")
    assert refused.exit_code == 1
    printed = [json.loads(line) for line in refused.stdout.splitlines()]
    assert [one["error"]["code"] for one in printed] == ["upload_failed", "upload_failed"]
    assert [one["job_id"] for one in printed] == ["job-1", "job-1"]


def test_file_that_vanishes_or_cannot_be_named_does_not_stop_the_others(
    script: dict[str, httpx.Response], recording: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _happy(script, answers.view())
    gone, nameless = tmp_path / "gone.wav", tmp_path / os.fsdecode(b"n\xff.wav")
    for path in (gone, nameless):
        path.write_bytes(b"sound")
    monkeypatch.setattr(progress, "on", lambda _: _Vanishing(gone))
    done = _run("submit", recording, str(gone), str(nameless), recording, "--wait", "--json")
    assert done.exit_code == 2
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["error"] and one["error"]["code"] for one in printed] == [
        "file_unreadable",
        "invalid_value",
        None,
        None,
    ]


class _Vanishing(progress.Lines):
    """Takes a file away as soon as anything is shown."""

    def __init__(self, path: Path) -> None:
        super().__init__(cli.standard_error)
        path.unlink(missing_ok=True)


@pytest.mark.parametrize(
    "url", ["localhost:7071", "http://[::1", "http://host:port", "ftp://host", "http://"]
)
def test_address_that_is_none_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = _run("jobs", "--url", url, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["code"] == "invalid_value"


def test_failed_job_exits_1_and_says_why(script: dict[str, httpx.Response], recording: str) -> None:
    why = api.ErrorView(code=errors.ErrorCode.NOT_AUDIO, message="This is text.", step=steps.Step.PREPARE)
    _happy(script, answers.view(jobs.JobStatus.FAILED, error=why))
    script["GET /jobs/job-1/results"] = answers.problem(409, errors.ProblemCode.NO_RESULTS)
    result = _run("submit", recording, "--wait", "--json")
    printed = json.loads(result.stdout)
    assert result.exit_code == 1
    assert printed["status"] == "failed"
    assert printed["transcript"] is None
    assert printed["error"]["message"] == "This is text."
    assert "Why: This is text." in _run("submit", recording, "--wait").stdout


def test_refused_request_exits_2_with_the_servers_reason(
    script: dict[str, httpx.Response], recording: str
) -> None:
    script["POST /jobs"] = answers.problem(422, errors.ProblemCode.UNKNOWN_LANGUAGE, "xx is no language.")
    result = _run("submit", recording, "--source-language", "xx", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["code"] == "unknown_language"
    assert "xx is no language." in result.stderr


def test_absent_server_exits_1_and_says_make_up(script: dict[str, httpx.Response]) -> None:
    result = _run("jobs")
    assert result.exit_code == 1
    assert "make up" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("submit",),
        ("submit", "no-such-file.wav"),
        ("submit", "x", "--workflow", "nonsense"),
        ("show",),
        ("nonsense",),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2(script: dict[str, httpx.Response], arguments: tuple[str, ...]) -> None:
    assert _run(*arguments).exit_code == 2


def test_jobs_lists_a_page_and_names_the_next(script: dict[str, httpx.Response]) -> None:
    script["GET /jobs"] = answers.ok(api.JobList(jobs=(answers.view(),), next_cursor="abc"))
    result = _run("jobs")
    assert "job-1" in result.stdout
    assert "--cursor abc" in result.stderr
    assert json.loads(_run("jobs", "--json").stdout)["next_cursor"] == "abc"


def test_show_prints_steps_with_why_they_were_skipped(script: dict[str, httpx.Response]) -> None:
    skipped = answers.step(
        steps.Step.TRANSLATE, steps.StepStatus.SKIPPED, skipped_because="[en] is the target already"
    )
    script["GET /jobs/job-1"] = answers.ok(answers.view(shown_steps=(skipped,)))
    assert "[en] is the target already" in " ".join(_run("show", "job-1").stdout.split())
    assert json.loads(_run("show", "job-1", "--json").stdout)["steps"][0]["status"] == "skipped"


def test_show_says_why_a_job_failed(script: dict[str, httpx.Response]) -> None:
    why = api.ErrorView(code=errors.ErrorCode.INTERNAL_ERROR, message="It was lost [twice].")
    script["GET /jobs/job-1"] = answers.ok(answers.view(jobs.JobStatus.FAILED, error=why))
    assert "Why: It was lost [twice]." in _run("show", "job-1").stdout


def test_results_of_a_job_in_progress_say_what_to_do(script: dict[str, httpx.Response]) -> None:
    script["GET /jobs/job-1"] = answers.ok(answers.view(jobs.JobStatus.PROCESSING))
    result = _run("results", "job-1")
    assert result.exit_code == 1
    assert "speechflow watch job-1" in result.stderr


def test_results_save_the_files(script: dict[str, httpx.Response], tmp_path: Path) -> None:
    script["GET /jobs/job-1"] = answers.ok(answers.view())
    script["GET /jobs/job-1/results"] = answers.ok(
        answers.job_results({"transcript.txt": f"{answers.URL}/transcript"})
    )
    script["GET /transcript"] = httpx.Response(200, text="Hello")
    assert _run("results", "job-1", "--save", str(tmp_path / "out"), "--json").exit_code == 0
    assert (tmp_path / "out" / "transcript.txt").read_text() == "Hello"


def test_cancel_of_an_ended_job_is_told_with_its_reason(script: dict[str, httpx.Response]) -> None:
    script["POST /jobs/job-1/cancel"] = answers.problem(
        409, errors.ProblemCode.JOB_ALREADY_FINISHED, "Job job-1 is completed."
    )
    result = _run("cancel", "job-1")
    assert result.exit_code == 1
    assert "Job job-1 is completed." in result.stderr


def test_watch_follows_to_the_end(script: dict[str, httpx.Response]) -> None:
    _happy(script, answers.view())
    result = _run("watch", "job-1")
    assert result.exit_code == 0
    assert "Hello" in result.stdout
