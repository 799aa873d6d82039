"""Logs that stop nothing when they cannot be written."""

from __future__ import annotations

import contextlib

import structlog


class SteadyLogger(structlog.PrintLogger):
    """The log may lie on the very disk that is full: what cannot be logged is lost and stops nothing."""

    def msg(self, message: str) -> None:
        with contextlib.suppress(OSError):
            super().msg(message)

    debug = info = warning = error = critical = exception = msg
