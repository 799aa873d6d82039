"""A watch that ends its own process beside a commit, as the kernel would."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable


def killer(point: str, moment: str, nth: int = 1) -> Callable[[str, str], None]:
    """SIGKILL at the nth commit of that kind; there is no line between the commit and the end."""
    seen = 0

    def watch(now_point: str, now_moment: str) -> None:
        nonlocal seen
        if (now_point, now_moment) == (point, moment):
            seen += 1
            if seen == nth:
                os.kill(os.getpid(), signal.SIGKILL)

    return watch
