"""A stack whose functions host can be put on another release of the app while jobs run."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from local_stack.launcher import service, services, stack

PARTS: Final = ("contracts", "function_app")
FILES: Final = ("function_app.py", "host.json")
BACK_LIMIT_SECONDS: Final = 90.0


@dataclass(kw_only=True)
class Release:
    """The folder that the functions host runs."""

    root: Path = services.REPOSITORY


@dataclass(frozen=True, kw_only=True)
class _ReleasedPlan(services.Plan):
    release: Release = field(default_factory=Release)

    def _python(
        self, name: str, module: str, options: list[str], settings: Mapping[str, str]
    ) -> service.Program:
        if name == "functions_host":
            at = options.index("--root") + 1
            options = [*options[:at], str(self.release.root), *options[at + 1 :]]
        return super()._python(name, module, options, settings)


class ReleasedStack(stack.Stack):
    """As a stack, with `upgrade`."""

    def __init__(self, options: stack.StackOptions, *, tell: Callable[[str], None]) -> None:
        super().__init__(options, tell=tell)
        self._release = Release()

    def upgrade(self, root: Path) -> None:
        """Stops the functions host as a deployment does, and starts the release in `root`."""
        self._release.root = root
        restarts = self.restarts("functions_host")
        os.kill(self.pids()["functions_host"], signal.SIGTERM)
        self.wait_restarted("functions_host", restarts=restarts + 1, timeout_seconds=BACK_LIMIT_SECONDS)

    def _make_plan(self) -> services.Plan:
        return _ReleasedPlan(**{**vars(super()._make_plan()), "release": self._release})


def copy_release(target: Path, *, version: str, edits: Mapping[str, tuple[str, str]]) -> Path:
    """A release of the app under another orchestration version; `edits` replaces a text once in each file.

    Raises ValueError when a text that is to be replaced is not there exactly once.
    """
    for name in PARTS:
        shutil.copytree(
            services.REPOSITORY / name, target / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in FILES:
        shutil.copy(services.REPOSITORY / name, target / name)
    for name, (old, new) in edits.items():
        text = (target / name).read_text("utf-8")
        if text.count(old) != 1:
            raise ValueError(f"{name} does not have {old!r} exactly once")
        (target / name).write_text(text.replace(old, new), "utf-8")
    host = json.loads((target / "host.json").read_text("utf-8"))
    host["extensions"]["durableTask"]["defaultVersion"] = version
    (target / "host.json").write_text(json.dumps(host), "utf-8")
    return target
