"""Runs `speechflow` as people do: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

LIMIT_SECONDS: Final = 110
REPOSITORY: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a run of the command came to."""

    status: int
    output: str
    messages: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The lines of the output, each of which must be a JSON object."""
        return [json.loads(line) for line in self.output.splitlines()]

    @property
    def object(self) -> dict[str, Any]:
        (only,) = self.objects
        return only


@dataclass(frozen=True, kw_only=True)
class Command:
    """`speechflow` for one server."""

    url: str

    def __call__(self, *arguments: str | Path) -> Finished:
        done = subprocess.run(
            [sys.executable, "-m", "client.cli", *map(str, arguments)],
            env={**os.environ, "SPEECHFLOW_URL": self.url},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        return Finished(status=done.returncode, output=done.stdout, messages=done.stderr)
