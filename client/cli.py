"""The `speechflow` command.

With --json, standard output carries JSON and nothing else; progress and messages go to standard error.
Exit status: 0 done (of `submit --wait`, `results`, `watch`: every job completed), 1 failed, 2 wrong usage,
130 stopped with Ctrl-C.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import console

from client import display, errors, orders, outcome, progress, server, speech_flow
from contracts import api, jobs

FAILED = 1
USAGE = 2
INTERRUPTED = 130
_WRONG_USAGE = (errors.InvalidRequestError, errors.InvalidValueError, errors.FileUnreadableError)

app = typer.Typer(
    name="speechflow",
    help="Recordings in; language, transcript, subtitles, translation and summary out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
WIDTH_OF_FILES = 160
"""Of tables that go to a file or a pipe, which have no width of their own."""
standard_output = console.Console(soft_wrap=True, width=None if sys.stdout.isatty() else WIDTH_OF_FILES)
standard_error = console.Console(stderr=True)

Url = Annotated[
    str | None,
    typer.Option(
        envvar="SPEECHFLOW_URL",
        help="The server; by default the stack that runs in this folder.",
        metavar="URL",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id.")]
Timeout = Annotated[float, typer.Option(min=0, help="Seconds to wait for a job before giving up.")]


@app.command()
def submit(  # noqa: PLR0913 (a command's arguments are its options)
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE…", exists=True, dir_okay=False, readable=True, show_default=False),
    ] = None,
    *,
    workflow: Annotated[jobs.Workflow, typer.Option(help="What is wanted.")] = jobs.Workflow.FULL_PIPELINE,
    source_language: Annotated[
        str | None, typer.Option(help="What is spoken, as en, zh, yue; identified when left out.")
    ] = None,
    target_language: Annotated[str, typer.Option(help="Of the translation and the summary.")] = "en",
    source_job: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Instead of files: a job, to translate or summarise its transcript."),
    ] = None,
    transcript: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, readable=True, help="Instead of files: a text, or segments as .json."
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end and print the results.")] = False,
    timeout_seconds: Timeout = 24 * 3600.0,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Upload recordings, or name transcripts, and start their jobs. What fails does not stop the others."""
    if len([one for one in (files, source_job, transcript) if one]) != 1:
        raise typer.BadParameter("Give files, or --source-job, or --transcript: one of the three.")
    wanted = orders.Wanted(
        workflow=workflow, source_language=source_language, target_language=target_language
    )
    statuses = [0]
    with _talking(url, as_json=as_json) as speech:
        placed = [orders.of_file(wanted, file) for file in files or ()]
        submitted: list[api.JobView] = []
        for order in placed or [orders.of_text(wanted, source_job, transcript)]:
            with _noting(statuses, as_json=as_json):
                with progress.on(standard_error) as shown:
                    view = order(speech, shown)
                submitted.append(view)
                if not wait:
                    _print_view(view, as_json=as_json)
        for view in submitted if wait else ():
            with _noting(statuses, as_json=as_json):
                ended = _follow(speech, view.job_id, timeout_seconds=timeout_seconds)
                statuses.append(0 if _print_outcome(ended, as_json=as_json) else FAILED)
    raise typer.Exit(max(statuses))


@app.command(name="jobs")
def list_jobs(  # noqa: PLR0913 (a command's arguments are its options)
    *,
    status: Annotated[jobs.JobStatus | None, typer.Option()] = None,
    workflow: Annotated[jobs.Workflow | None, typer.Option()] = None,
    language: Annotated[str | None, typer.Option(help="As en, zh, yue.")] = None,
    created_from: Annotated[datetime | None, typer.Option(help="This moment or later; local time.")] = None,
    created_before: Annotated[datetime | None, typer.Option(help="Earlier than this moment.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Jobs a page.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Where the page before ended.")] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """List jobs, newest first."""
    with _talking(url, as_json=as_json) as speech:
        page = speech.page(
            status=status,
            workflow=workflow,
            language=language,
            created_from=created_from.astimezone() if created_from else None,
            created_before=created_before.astimezone() if created_before else None,
            limit=limit,
            cursor=cursor,
        )
    if as_json:
        _print_json(page.model_dump(mode="json"))
        return
    standard_output.print(display.job_table(page.jobs))
    if page.next_cursor:
        standard_error.print(f"More: speechflow jobs --cursor {page.next_cursor}", markup=False)


@app.command()
def show(job_id: JobId, *, as_json: AsJson = False, url: Url = None) -> None:
    """Show a job with its steps."""
    with _talking(url, as_json=as_json) as speech:
        view = speech.get(job_id)
    if as_json:
        _print_json(view.model_dump(mode="json"))
    else:
        display.show_job(standard_output, view)


@app.command()
def results(
    job_id: JobId,
    *,
    save: Annotated[
        Path | None, typer.Option(file_okay=False, metavar="DIR", help="Put the job's files there.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Print what a job left."""
    with _talking(url, as_json=as_json) as speech:
        view = speech.get(job_id)
        if view.status not in jobs.TERMINAL:
            raise errors.SpeechFlowError(
                f"Job {job_id} is {view.status} and has no results yet: speechflow watch {job_id}",
                job_id=job_id,
            )
        ended = outcome.fetch(speech, view)
        saved = speech.save(ended.results, save) if save else []
    succeeded = _print_outcome(ended, as_json=as_json)
    for path in saved:
        standard_error.print(f"Saved {path}", markup=False, highlight=False, soft_wrap=True)
    _exit_unless(succeeded)


@app.command()
def cancel(job_id: JobId, *, as_json: AsJson = False, url: Url = None) -> None:
    """Cancel a job that has not ended."""
    with _talking(url, as_json=as_json) as speech:
        view = speech.cancel(job_id)
    _print_view(view, as_json=as_json)


@app.command()
def watch(
    job_id: JobId, *, timeout_seconds: Timeout = 24 * 3600.0, as_json: AsJson = False, url: Url = None
) -> None:
    """Follow a job to its end and print its results."""
    with _talking(url, as_json=as_json) as speech:
        succeeded = _print_outcome(_follow(speech, job_id, timeout_seconds=timeout_seconds), as_json=as_json)
    _exit_unless(succeeded)


def main() -> None:
    """The command's entry point."""
    app()


@contextlib.contextmanager
def _talking(url: str | None, *, as_json: bool) -> Iterator[speech_flow.SpeechFlow]:
    """A client for the command's server; its errors become a sentence and an exit status."""
    address = server.find(url, directory=Path.cwd())
    try:
        with speech_flow.SpeechFlow(address) as speech:
            yield speech
    except errors.SpeechFlowError as error:
        raise typer.Exit(_tell(error, as_json=as_json)) from error
    except KeyboardInterrupt:
        standard_error.print("Stopped watching; jobs that were started go on: speechflow jobs")
        raise typer.Exit(INTERRUPTED) from None


def _follow(speech: speech_flow.SpeechFlow, job_id: str, *, timeout_seconds: float) -> outcome.Outcome:
    """What the job came to, once it has ended.

    Bars are on the screen only until then: on a terminal they draw themselves over whatever else is printed.
    """
    with progress.on(standard_error) as shown:
        view = speech.wait(job_id, timeout_seconds=timeout_seconds, on_view=shown.job)
    return outcome.fetch(speech, view)


@contextlib.contextmanager
def _noting(statuses: list[int], *, as_json: bool) -> Iterator[None]:
    """Tells what goes wrong in the body and notes its exit status.

    Only an absent server ends everything: nothing else would go better.
    """
    try:
        yield
    except errors.ServerUnreachableError:
        raise
    except errors.SpeechFlowError as error:
        statuses.append(_tell(error, as_json=as_json))


def _tell(error: errors.SpeechFlowError, *, as_json: bool) -> int:
    """The exit status that the error stands for, once people and machines have been told."""
    standard_error.print(str(error), markup=False, highlight=False, soft_wrap=True)
    if as_json:
        _print_json({"error": {"code": error.code, "message": str(error)}, "job_id": error.job_id})
    return USAGE if isinstance(error, _WRONG_USAGE) else FAILED


def _print_view(view: api.JobView, *, as_json: bool) -> None:
    if as_json:
        _print_json(view.model_dump(mode="json"))
    else:
        standard_output.print(
            f"{view.job_id}  {view.status}  {view.file_name}", markup=False, highlight=False
        )


def _print_outcome(ended: outcome.Outcome, *, as_json: bool) -> bool:
    if as_json:
        _print_json(ended.as_json())
    else:
        display.show_outcome(standard_output, ended)
    return ended.succeeded


def _print_json(value: dict[str, Any]) -> None:
    """One object on one line, past every terminal nicety."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _exit_unless(succeeded: bool) -> None:  # noqa: FBT001 (reads as a sentence where it is called)
    if not succeeded:
        raise typer.Exit(FAILED)


if __name__ == "__main__":
    main()
