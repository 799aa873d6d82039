"""The processes' logs: appended to by them, kept short by the launcher."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Final

LIMIT_BYTES: Final = 20 * 1024 * 1024
END_LINES: Final = 15


def trim(log: Path, *, limit_bytes: int = LIMIT_BYTES) -> bool:
    """Moves a log that has grown too long to NAME.1, where it replaces the one before; True when it did.

    The process keeps its file open for appending, so the file is copied and emptied, not renamed. What is
    written in between is lost: a few lines every 20 MB. What cannot be moved, as on a full disk, stays.
    """
    with contextlib.suppress(OSError):
        if log.stat().st_size > limit_bytes:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            os.truncate(log, 0)
            return True
    return False


def end(log: Path, *, lines: int = END_LINES) -> str:
    """The log's last lines."""
    try:
        with log.open("rb") as source:
            source.seek(0, os.SEEK_END)
            source.seek(max(0, source.tell() - 16 * 1024))
            text = source.read().decode(errors="replace")
    except OSError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:]) or "(empty)"
