"""A broker whose disk is slow; its arguments are CONFIG STATE PORT COUNTS_PORT."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from local_stack.broker import __main__ as broker
from local_stack.broker import settings, store

SECONDS = 0.1
"""Of each statement."""


def _slowly(_point: str, moment: str) -> None:
    if moment == store.Moment.BEFORE:
        time.sleep(SECONDS)


def main(config: str, state: str, port: str, counts_port: str) -> None:
    """Until it is told to stop."""
    broker.configure_logging()
    chosen = settings.Settings(port=int(port), counts_port=int(counts_port), state_directory=Path(state))
    broker.run(Path(config), chosen, watch=_slowly)


if __name__ == "__main__":
    main(*sys.argv[1:])
