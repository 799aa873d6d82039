"""Transcripts that the command submits, from files and from other jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer import testing

from client import cli, errors, speech_flow, texts
from contracts import api, jobs
from tests.unit.client import answers

LINES = [{"start": 0.0, "end": 1.5, "text": "Hola."}, {"start": 2, "end": 3, "text": "Adiós."}]


@pytest.fixture
def bodies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """What was posted to a server that takes everything."""
    posted: list[dict[str, Any]] = []
    queued = api.JobQueued(job_id="job-1", status=jobs.JobStatus.QUEUED, links=answers.created().links)

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            posted.append(json.loads(request.read()))
            return answers.ok(queued, 201)
        return answers.ok(answers.view())

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(speech_flow, "SpeechFlow", lambda _url: answers.speech_flow(handler))
    return posted


def run(*arguments: str) -> testing.Result:
    return testing.CliRunner().invoke(cli.app, ["submit", *arguments])


def test_transcript_of_another_job_is_named(bodies: list[dict[str, Any]]) -> None:
    result = run("--workflow", "translate_only", "--source-job", "abc", "--target-language", "de", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["job_id"] == "job-1"
    (body,) = bodies
    assert (body["workflow"], body["source_job_id"], body["target_language"]) == (
        "translate_only",
        "abc",
        "de",
    )


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("minutes.txt", "\ufeffHola.\nAdiós.", "Hola.\nAdiós."),
        ("lines.json", json.dumps(LINES), LINES),
        (
            "transcript.json",
            json.dumps({"segments": [one | {"id": 0, "words": []} for one in LINES]}),
            LINES,
        ),
    ],
)
def test_transcript_is_sent_as_text_or_segments(
    bodies: list[dict[str, Any]], tmp_path: Path, name: str, content: str, expected: Any
) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    result = run("--workflow", "summarize_only", "--transcript", str(path), "--source-language", "es")
    assert result.exit_code == 0, result.output
    (body,) = bodies
    assert (body["transcript"], body["file_name"]) == (expected, name)


@pytest.mark.parametrize(
    "content", ["", "[", "{}", "7", '[{"start": 0}]', '{"segments": ["a"]}', "[" * 10_000]
)
def test_json_that_is_no_transcript_is_said_to_be_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(errors.FileUnreadableError, match="no list of segments"):
        texts.read(path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(errors.FileUnreadableError, match="not text in UTF-8"):
        texts.read(path)


@pytest.mark.parametrize("arguments", [(), ("--source-job", "abc", "--transcript", "a.txt")])
def test_nothing_or_two_things_at_once_is_wrong_usage(
    bodies: list[dict[str, Any]], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "a.txt").write_text("Hola.")
    result = run(*arguments)
    assert result.exit_code == 2
    assert bodies == []
