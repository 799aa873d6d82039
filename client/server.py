"""Where Speech Flow is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

DEFAULT_URL: Final = "http://127.0.0.1:7071"
STACK_FILE: Final = Path(".speechflow") / "stack.json"
"""Written by the local stack while it runs; its ports may differ from the default ones."""


def find(given: str | None, *, directory: Path) -> str:
    """The address given, or that of the stack that runs in this folder or one above it, or the default."""
    return given or _of_local_stack(directory) or DEFAULT_URL


def _of_local_stack(directory: Path) -> str | None:
    for folder in (directory, *directory.parents):
        try:
            stack = json.loads((folder / STACK_FILE).read_text())
        except (OSError, ValueError):
            continue
        url = stack.get("url") if isinstance(stack, dict) else None
        if isinstance(url, str):
            return url
    return None
