"""A recording in, everything out."""

from __future__ import annotations

from pathlib import Path

import pytest

import client
from client import outcome
from local_stack.demo import checks, recordings
from tests.acceptance.command import Command


@pytest.mark.parametrize("name", recordings.LANGUAGE_SAMPLES)
def test_sample_comes_out_exactly_in_one_json_object(
    speechflow: Command, speech: client.SpeechFlow, tmp_path: Path, name: str
) -> None:
    sample = recordings.sample(name)
    done = speechflow("submit", sample.path, "--wait", "--json")
    assert done.status == 0, done.messages
    printed = done.object
    assert (printed["status"], printed["language"]) == ("completed", sample.language)
    assert printed["transcript"]["text"] == sample.text
    assert printed["duration_seconds"] == pytest.approx(printed["transcript"]["duration_seconds"])
    assert {"start", "end", "text", "words"} <= set(printed["transcript"]["segments"][0])
    assert printed["summary"]["text"]
    assert {"transcript.json", "transcript.txt", "transcript.srt", "transcript.vtt"} <= set(printed["files"])
    assert speechflow("results", printed["job_id"], "--save", tmp_path).status == 0
    ended = outcome.fetch(speech, speech.get(printed["job_id"]))
    assert checks.faults(sample, ended, tmp_path) == []


def test_sound_of_a_video_is_transcribed(
    speechflow: Command, speech: client.SpeechFlow, media: Path, tmp_path: Path
) -> None:
    video = recordings.video(media)
    printed = speechflow("submit", video.path, "--wait", "--json").object
    assert printed["transcript"]["text"] == video.text
    ended = outcome.fetch(speech, speech.get(printed["job_id"]))
    speech.save(ended.results, tmp_path)
    assert checks.faults(video, ended, tmp_path) == []


def test_given_language_is_taken_and_nothing_else_is_made(speechflow: Command) -> None:
    sample = recordings.sample("spanish.flac")
    options = ["--workflow", "transcribe_only", "--source-language", "es", "--wait", "--json"]
    printed = speechflow("submit", sample.path, *options).object
    assert printed["transcript"]["text"] == sample.text
    assert (printed["summary"], printed["translation"]) == (None, None)


def test_language_alone_is_found(speechflow: Command) -> None:
    cantonese = recordings.sample("cantonese.flac")
    done = speechflow("submit", cantonese.path, "--workflow", "lid_only", "--wait", "--json")
    assert done.status == 0, done.messages
    assert (done.object["language"], done.object["transcript"]) == ("yue", None)


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("truncated.m4a", {"corrupt_audio", "not_audio"}),
        ("text.mp3", {"not_audio"}),
    ],
)
def test_file_that_cannot_be_read_fails_with_a_plain_reason(
    speechflow: Command, media: Path, name: str, codes: set[str]
) -> None:
    done = speechflow("submit", media / name, "--wait", "--json")
    assert done.status == 1
    assert (done.object["status"], done.object["transcript"]) == ("failed", None)
    assert done.object["error"]["code"] in codes
    assert len(done.object["error"]["message"].split()) > 4


def test_empty_file_is_refused(speechflow: Command, media: Path) -> None:
    done = speechflow("submit", media / "empty.wav", "--wait", "--json")
    assert done.status in (1, 2)
    assert done.object["error"]["code"] in {"upload_empty", "empty_file"}
