"""How far uploads and jobs are: bars on a terminal, plain lines elsewhere. Always on standard error."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from rich import console, progress

from contracts import api, jobs, steps


class Progress(Protocol):
    """Shows one file from upload to end."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def uploading(self, file_name: str, size_bytes: int) -> None:
        """An upload begins."""

    def uploaded(self, sent_bytes: int) -> None:
        """So many bytes of it are there."""

    def job(self, view: api.JobView) -> None:
        """The job stands so."""


def on(standard_error: console.Console) -> Progress:
    """Bars if people watch, lines if a file does."""
    return Bars(standard_error) if standard_error.is_terminal else Lines(standard_error)


class Bars:
    """A bar for the upload, then one for the job, which moves in seconds of audio."""

    def __init__(self, standard_error: console.Console) -> None:
        self._progress = progress.Progress(
            # File names are no markup, whatever brackets they hold.
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.TextColumn("{task.fields[amount]}"),
            progress.TimeElapsedColumn(),
            console=standard_error,
            # It may be a pipe that waits for the results.
            redirect_stdout=False,
        )
        self._upload: progress.TaskID | None = None
        self._upload_bytes = 0
        self._jobs: dict[str, progress.TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def uploading(self, file_name: str, size_bytes: int) -> None:
        self._upload_bytes = size_bytes
        self._upload = self._progress.add_task(f"{file_name}: upload", total=max(1, size_bytes), amount="")

    def uploaded(self, sent_bytes: int) -> None:
        if self._upload is not None:
            amount = f"{_mebibytes(sent_bytes)} of {_mebibytes(self._upload_bytes)} MiB"
            self._progress.update(self._upload, completed=max(1, sent_bytes), amount=amount)

    def job(self, view: api.JobView) -> None:
        task = self._jobs.get(view.job_id)
        if task is None:
            task = self._jobs[view.job_id] = self._progress.add_task(view.file_name, total=None, amount="")
        done, total = audio_seconds(view)
        ended = view.status in jobs.TERMINAL
        if ended and not total:
            done = total = 1.0
        self._progress.update(
            task,
            total=total or None,
            completed=done,
            description=f"{view.file_name}: {doing(view)}",
            amount=_audio(view),
        )


class Lines:
    """A line whenever something changed that people would want to know."""

    def __init__(self, standard_error: console.Console) -> None:
        self._console = standard_error
        self._said: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Lines stand as they are."""

    def uploading(self, file_name: str, size_bytes: int) -> None:
        self._line(f"{file_name}: uploading {_mebibytes(size_bytes)} MiB")

    def uploaded(self, sent_bytes: int) -> None:
        """Not worth a line."""

    def job(self, view: api.JobView) -> None:
        line = " ".join(part for part in (f"{view.file_name}: {doing(view)}", _audio(view)) if part)
        if self._said.get(view.job_id) != line:
            self._said[view.job_id] = line
            self._line(line)

    def _line(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def doing(view: api.JobView) -> str:
    """The steps in progress, or the job's status when there are none."""
    running = [step.step for step in view.steps if step.status is steps.StepStatus.PROCESSING]
    if view.status is jobs.JobStatus.PROCESSING and running:
        return ", ".join(running)
    return view.status.replace("_", " ")


def audio_seconds(view: api.JobView) -> tuple[float, float]:
    """Seconds of audio done and to do, of the last step that knows them; 0 of 0 at first."""
    known = [step for step in view.steps if step.audio_seconds_total]
    if not known:
        return 0.0, 0.0
    latest = known[-1]
    return latest.audio_seconds_done or 0.0, latest.audio_seconds_total or 0.0


def _audio(view: api.JobView) -> str:
    done, total = audio_seconds(view)
    return f"{done:.0f} of {total:.0f} s of audio" if total else ""


def _mebibytes(size_bytes: int) -> str:
    return f"{size_bytes / 1024**2:.1f}"
