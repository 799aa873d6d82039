"""A functions host that kills itself beside a commit of its own file; run by the nursery."""

from __future__ import annotations

import json
import os

from local_stack.functions_host import __main__ as host
from tests.integration.crash_points import killing


def main(settings: str, root: str, port: str, point: str = "", moment: str = "") -> None:
    """Without a point it is a host like any other. `settings` is JSON: what its environment says."""
    os.environ.update(json.loads(settings))
    watch = killing.killer(point, moment) if point else None
    host.main(["--root", root, "--port", port], watch=watch)
