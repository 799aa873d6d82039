"""How far a long step has come, in the log."""

import time
from typing import Final

import structlog

log = structlog.get_logger()

EVERY_SECONDS: Final = 10.0


class ProgressLog:
    """One attempt's; notes as often as it likes, and writes a line every EVERY_SECONDS."""

    def __init__(self) -> None:
        self._next_line = time.monotonic() + EVERY_SECONDS

    def note(self, audio_seconds: float) -> None:
        """So much of the recording is done."""
        now = time.monotonic()
        if now >= self._next_line:
            self._next_line = now + EVERY_SECONDS
            log.info("step_progress", audio_seconds=round(audio_seconds, 1))
