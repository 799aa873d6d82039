"""What people see while they wait."""

from __future__ import annotations

import io

from rich import console

from client import progress
from contracts import jobs, steps
from tests.unit.client import answers


def test_lines_say_each_change_once() -> None:
    output = io.StringIO()
    lines = progress.Lines(console.Console(file=output))
    half = answers.view(jobs.JobStatus.PROCESSING, shown_steps=(answers.step(done=4.0, total=8.0),))
    lines.uploading("talk.wav", 3 * 1024**2)
    for view in (answers.view(jobs.JobStatus.QUEUED), half, half, answers.view()):
        lines.job(view)
    assert output.getvalue().splitlines() == [
        "talk.wav: uploading 3.0 MiB",
        "talk.wav: queued",
        "talk.wav: transcribe 4 of 8 s of audio",
        "talk.wav: completed",
    ]


def test_bars_move_in_seconds_of_audio() -> None:
    output = io.StringIO()
    with progress.Bars(console.Console(file=output, force_terminal=True, width=120)) as bars:
        bars.uploading("talk.wav", 1024**2)
        bars.uploaded(1024**2)
        bars.job(answers.view(jobs.JobStatus.PROCESSING, shown_steps=(answers.step(done=4.0, total=8.0),)))
    assert "1.0 of 1.0 MiB" in output.getvalue()
    assert "4 of 8 s of audio" in output.getvalue()


def test_brackets_in_a_file_name_are_no_markup() -> None:
    output = io.StringIO()
    with progress.Bars(console.Console(file=output, force_terminal=True, width=120)) as bars:
        bars.uploading("talk [draft] [/final].wav", 1024**2)
    assert "talk [draft] [/final].wav: upload" in output.getvalue()


def test_steps_side_by_side_are_both_named() -> None:
    both = (answers.step(steps.Step.TRANSLATE), answers.step(steps.Step.SUMMARIZE))
    assert progress.doing(answers.view(jobs.JobStatus.PROCESSING, shown_steps=both)) == "translate, summarize"


def test_terminal_gets_bars_and_a_file_gets_lines() -> None:
    assert isinstance(progress.on(console.Console(file=io.StringIO(), force_terminal=True)), progress.Bars)
    assert isinstance(progress.on(console.Console(file=io.StringIO())), progress.Lines)
