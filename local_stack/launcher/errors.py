"""The launcher's errors.

* LauncherError
  + AlreadyRunningError
  + StartFailedError
  + GaveUpError
  + EnginesUnavailableError
"""

from pathlib import Path


class LauncherError(Exception):
    """The local stack cannot run."""

    code = "launcher_error"
    retryable = False

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class AlreadyRunningError(LauncherError):
    """Another launcher has this state folder."""

    code = "already_running"


class StartFailedError(LauncherError):
    """A process did not become ready."""

    code = "start_failed"

    def __init__(self, *, name: str, reason: str, log: Path, log_end: str) -> None:
        super().__init__(f"{name} did not start: {reason}. The end of {log}:\n{log_end}")
        self.name = name


class GaveUpError(LauncherError):
    """A process died again and again before it was ready."""

    code = "gave_up"

    def __init__(self, *, name: str, deaths: int, log: Path, log_end: str) -> None:
        super().__init__(
            f"{name} died {deaths} times in a row before it was ready. The end of {log}:\n{log_end}"
        )
        self.name = name


class EnginesUnavailableError(LauncherError):
    """No engine can be had for what the settings ask."""

    code = "engines_unavailable"
