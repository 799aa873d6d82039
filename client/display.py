"""Jobs and results as people read them, on standard output."""

from __future__ import annotations

from collections.abc import Iterable

from rich import console, table, text

from client import outcome
from contracts import api, jobs, results, steps

_STYLES = {
    jobs.JobStatus.COMPLETED: "green",
    jobs.JobStatus.PARTIAL_COMPLETE: "yellow",
    jobs.JobStatus.FAILED: "red",
    jobs.JobStatus.CANCELLED: "magenta",
    jobs.JobStatus.EXPIRED: "magenta",
}


def job_table(views: Iterable[api.JobView]) -> table.Table:
    grid = table.Table(box=None, pad_edge=False)
    for heading in ("job", "status", "language", "audio", "created"):
        grid.add_column(heading, no_wrap=True)
    # Last, and cut: everything before it must stay readable in 80 columns.
    grid.add_column("file", no_wrap=True, overflow="ellipsis")
    for view in views:
        grid.add_row(
            view.job_id,
            _status(view.status),
            view.language or "",
            _seconds(view.duration_seconds),
            f"{view.created_at.astimezone():%m-%d %H:%M}",
            text.Text(view.file_name),
        )
    return grid


def show_job(output: console.Console, view: api.JobView) -> None:
    output.print(_status_line(view))
    if view.error:
        output.print(_plain(f"Why: {view.error.message}", style="red"))
    grid = table.Table(box=None, pad_edge=False)
    for heading in ("step", "status", "attempt", "seconds", "audio", "note"):
        grid.add_column(heading)
    for step in view.steps:
        note = step.error.message if step.error else step.skipped_because or ""
        grid.add_row(step.step, step.status, str(step.attempt), _took(step), _progress(step), text.Text(note))
    output.print(grid)


def show_outcome(
    output: console.Console, ended: outcome.Outcome, *, most_segments: int | None = None
) -> None:
    """Everything that the job left, with its files; of a long transcript the first `most_segments`."""
    output.print(_status_line(ended.view))
    if ended.view.error:
        output.print(_plain(f"Why: {ended.view.error.message}", style="red"))
    if ended.results.transcript:
        _show_transcript(output, ended.results.transcript, most_segments)
        _show_translation(output, ended)
    if ended.results.summary:
        _heading(output, f"Summary ({ended.results.summary.language}, {ended.results.summary.engine})")
        output.print(_plain(ended.results.summary.text))
    for warning in ended.results.warnings:
        output.print(_plain(f"Note: {warning}", style="yellow"))
    if ended.results.files:
        names = ", ".join(sorted(ended.results.files))
        _heading(output, f"Files (speechflow results {ended.view.job_id} --save DIR)")
        output.print(_plain(names))


def _show_transcript(
    output: console.Console, transcript: results.Transcript, most_segments: int | None
) -> None:
    _heading(output, f"Transcript ({transcript.language}, {transcript.engine} {transcript.model})")
    shown = transcript.segments[:most_segments]
    for segment in shown:
        output.print(_plain(f"{_clock(segment.start)}  {segment.text}"))
    if left_out := len(transcript.segments) - len(shown):
        output.print(_plain(f"         … and {left_out} more"))


def _show_translation(output: console.Console, ended: outcome.Outcome) -> None:
    translation = ended.results.translation
    if translation:
        _heading(output, f"Translation ({translation.language}, {translation.engine} {translation.model})")
        output.print(_plain(translation.text))
    elif steps.Step.TRANSLATE in ended.skipped:
        _heading(output, "Translation")
        output.print(_plain(f"skipped: {ended.skipped[steps.Step.TRANSLATE]}"))


def _status_line(view: api.JobView) -> text.Text:
    line = text.Text.assemble(f"{view.file_name}  job {view.job_id}  ", _status(view.status))
    if view.language:
        line.append(f"  {view.language}")
    if view.duration_seconds is not None:
        line.append(f"  {_seconds(view.duration_seconds)}")
    return line


def _status(status: jobs.JobStatus) -> text.Text:
    return text.Text(status, style=_STYLES.get(status, "cyan"))


def _heading(output: console.Console, words: str) -> None:
    output.print(_plain(words, style="bold"))


def _plain(words: str, *, style: str = "") -> text.Text:
    """Text in which square brackets are square brackets."""
    return text.Text(words, style=style)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes):3d}:{rest:04.1f}"


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s"


def _took(step: api.StepView) -> str:
    if step.started_at is None or step.finished_at is None:
        return ""
    return f"{(step.finished_at - step.started_at).total_seconds():.1f}"


def _progress(step: api.StepView) -> str:
    if not step.audio_seconds_total:
        return ""
    return f"{step.audio_seconds_done or 0:.0f} of {step.audio_seconds_total:.0f} s"
