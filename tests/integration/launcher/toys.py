"""Small real processes for the launcher to look after."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

from local_stack.launcher import readiness, service

LISTENER = """
    import http.server, signal, sys
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200); self.end_headers()
        def log_message(self, *_): pass
    http.server.HTTPServer.allow_reuse_address = True
    print("listening", flush=True)
    http.server.HTTPServer(("127.0.0.1", {port}), Answer).serve_forever()
"""
"""Answers every GET with 200."""

SLEEPER = """
    import time
    time.sleep(600)
"""
"""Does nothing."""

DEAF = """
    import signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("deaf", flush=True)
    time.sleep(600)
"""
"""Does not end when asked."""


def listener(directory: Path, name: str, port: int, *, stage: int = 0) -> service.Service:
    return toy(directory, name, LISTENER.format(port=port), port=port, stage=stage)


def toy(
    directory: Path,
    name: str,
    source: str,
    *,
    port: int | None = None,
    ready: readiness.Check = lambda: None,
    stage: int = 0,
    stop_limit_seconds: float = 5.0,
) -> service.Service:
    """A process of Python's own; ready when its port answers, or as `ready` says."""
    program = service.Program(
        command=[sys.executable, "-c", textwrap.dedent(source)],
        environment=dict(os.environ),
        directory=directory,
        log=directory / f"{name}.log",
    )
    return service.Service(
        name=name,
        stage=stage,
        launch=program.launch,
        ready=readiness.answers(f"http://127.0.0.1:{port}/") if port else ready,
        log=program.log,
        address=f"127.0.0.1:{port}",
        stop_limit_seconds=stop_limit_seconds,
    )
