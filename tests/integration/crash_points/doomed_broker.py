"""A broker that kills itself beside a commit; run by the nursery, in a process of its own."""

from __future__ import annotations

from pathlib import Path

from local_stack.broker import __main__ as broker
from local_stack.broker import settings
from tests.integration.crash_points import killing


def main(config: str, state: str, port: str, counts_port: str, point: str = "", moment: str = "") -> None:
    """Without a point it is a broker like any other."""
    broker.configure_logging()
    chosen = settings.Settings(
        port=int(port), counts_port=int(counts_port), state_directory=Path(state), heartbeat_seconds=0.2
    )
    broker.run(Path(config), chosen, watch=killing.killer(point, moment) if point else None)
