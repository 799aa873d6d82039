"""The demo itself. Exit status 0 only if every job ended as it should."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich import console, text

import client
from client import display, outcome, progress
from contracts import api
from local_stack.demo import checks, recordings
from local_stack.launcher import engines, errors, ports, stack, state

STATE: Final = Path(".speechflow") / "demo"
JOB_LIMIT_SECONDS: Final = 240.0
SEGMENTS_SHOWN: Final = 8
FAILED: Final = 1

screen = console.Console(soft_wrap=True, highlight=False)


def main() -> int:
    """Start, send, check, stop."""
    started = time.monotonic()
    wanted = stack.StackOptions(state=STATE / "stack", ports=ports.ANY, profile=engines.Profile.FIXTURES)
    try:
        _forget_the_last_demo()
        with stack.Stack(wanted, tell=_say) as running:
            known = recordings.all_of(STATE / "recordings")
            wrong = _go_through(running, known)
    except (errors.LauncherError, client.errors.SpeechFlowError, OSError) as error:
        _say(f"The demo failed: {error}")
        _say(f"The logs of every process are in {STATE / 'stack' / 'logs'}")
        return FAILED
    return _verdict(known, wrong, time.monotonic() - started)


def _forget_the_last_demo() -> None:
    """Refuses while another demo runs from the same folder."""
    folder = STATE / "stack"
    with state.StateFolder(root=folder.resolve()).held():
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)


def _go_through(running: stack.Stack, known: Sequence[recordings.Recording]) -> list[str]:
    _say(f"Speech Flow is up: {running.url}")
    wrong: list[str] = []
    with client.SpeechFlow(running.url) as speech, progress.on(screen) as shown:
        submitted = [_submit(speech, shown, recording) for recording in known]
        for recording, view in zip(known, submitted, strict=True):
            ended = speech.wait(view.job_id, timeout_seconds=JOB_LIMIT_SECONDS, on_view=shown.job)
            wrong += _judge(speech, recording, outcome.fetch(speech, ended))
    return wrong


def _submit(
    speech: client.SpeechFlow, shown: progress.Progress, recording: recordings.Recording
) -> api.JobView:
    shown.uploading(recording.path.name, recording.path.stat().st_size)
    return speech.submit(recording.path, on_bytes=shown.uploaded)


def _judge(speech: client.SpeechFlow, recording: recordings.Recording, ended: outcome.Outcome) -> list[str]:
    saved = STATE / "results" / recording.path.stem
    speech.save(ended.results, saved)
    screen.print(text.Text(f"\n── {recording.path.name} ({recording.title}) ", style="bold"))
    display.show_outcome(screen, ended, most_segments=SEGMENTS_SHOWN)
    _say(f"Files are in {saved}")
    found = checks.faults(recording, ended, saved)
    screen.print(text.Text("as expected", style="green") if not found else text.Text("WRONG", style="red"))
    for fault in found:
        _say(f"  {fault}")
    return [f"{recording.path.name}: {fault}" for fault in found]


def _verdict(known: Sequence[recordings.Recording], wrong: Sequence[str], seconds: float) -> int:
    if wrong:
        _say(f"\nThe demo failed after {seconds:.0f} s:")
        for fault in wrong:
            _say(f"  {fault}")
        _say(f"The logs of every process are in {STATE / 'stack' / 'logs'}")
        return FAILED
    _say(f"\nAll {len(known)} jobs ended as they should, in {seconds:.0f} s. Results: {STATE / 'results'}")
    return 0


def _say(line: str) -> None:
    screen.print(text.Text(line))


if __name__ == "__main__":
    sys.exit(main())
