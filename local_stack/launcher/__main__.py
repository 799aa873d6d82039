"""`python -m local_stack.launcher`: the whole stack, kept running until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from local_stack.launcher import engines, errors, ports, stack

FAILED = 1


def up(  # noqa: PLR0913 (a command's arguments are its options)
    *,
    profile: Annotated[
        engines.Profile, typer.Option(help="real: for real speech; fixtures: the tests' tiny models.")
    ] = engines.Profile.REAL,
    state: Annotated[Path, typer.Option(help="Where data and logs are kept.")] = Path(".speechflow"),
    port: Annotated[int, typer.Option(min=0, help="Of the API; 0 takes a free one.")] = 7071,
    blob_port: Annotated[int, typer.Option(min=0)] = 10000,
    broker_port: Annotated[int, typer.Option(min=0)] = 5672,
    counts_port: Annotated[int, typer.Option(min=0)] = 5673,
    postgres_port: Annotated[int, typer.Option(min=0)] = 5433,
    lid_workers: Annotated[int, typer.Option(min=0, max=64)] = 1,
    gpu_workers: Annotated[int, typer.Option(min=0, max=64)] = 1,
) -> None:
    """Start the stack and keep it running. Ports that are taken move to free ones, and say so."""
    wanted = ports.Ports(
        api=port, blobs=blob_port, broker=broker_port, counts=counts_port, postgres=postgres_port
    )
    options = stack.StackOptions(
        state=state, ports=wanted, profile=profile, lid_workers=lid_workers, gpu_workers=gpu_workers
    )
    running = stack.Stack(options, tell=_say)
    _stop_on_signals(running)
    try:
        running.start()
        if running.running:
            _say(f"Speech Flow is up: {running.url}  (speechflow submit FILE --wait; Ctrl-C stops it)")
        running.wait()
    except errors.AlreadyRunningError as error:
        _say(str(error))
    except errors.LauncherError as error:
        sys.stderr.write(f"{error}\nSpeech Flow is stopped.\n")
        raise typer.Exit(FAILED) from error
    else:
        _say("Speech Flow is stopped.")


def _stop_on_signals(running: stack.Stack) -> None:
    asked = 0

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        running.ask_to_stop(hurry=asked > 1)
        # Not through sys.stdout, which the signal may have interrupted.
        with contextlib.suppress(OSError):
            os.write(1, ("Stopping…\n" if asked == 1 else "Killing what is left…\n").encode())

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handle)


def _say(line: str) -> None:
    # Nobody may read any more (`make up | head`, a closed terminal): no reason for the stack to stop.
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    typer.run(up)
