"""Folders for temporary files that do not outlive their process for long, however it ends."""

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger()

_PREFIX: Final = "speechflow-worker-"
_LOCK_NAME: Final = "in-use"


@contextlib.contextmanager
def process_workspace(parent: str) -> Iterator[Path]:
    """A folder of this process under `parent` (empty: the system's own); removed at the end.

    Removes first what killed processes left: a folder's lock is held exactly as long as its process lives.
    """
    base = Path(parent or tempfile.gettempdir())
    base.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(base)
    root = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    # Locked before it has its name: a worker that starts at the same moment must not find it free.
    unnamed = root / f"{_LOCK_NAME}-soon"
    with unnamed.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        unnamed.rename(root / _LOCK_NAME)
        try:
            yield root
        finally:
            shutil.rmtree(root, ignore_errors=True)


def _remove_leftovers(base: Path) -> None:
    for lock_path in base.glob(f"{_PREFIX}*/{_LOCK_NAME}"):
        # Another process may be removing it too; another user's cannot be opened.
        with contextlib.suppress(OSError), lock_path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock_path.parent, ignore_errors=True)
            log.info("leftover_workspace_removed", path=str(lock_path.parent))
