"""A hub that answers, one that has nothing, and ones that cannot be reached: always an answer in time."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from contracts.params import TranscriptionEngine
from gpu_worker import errors, models

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


class _Hub(http.server.BaseHTTPRequestHandler):
    """Knows one model."""

    def do_GET(self) -> None:
        known = self.path.startswith("/api/models/Systran/faster-whisper-small")
        body = json.dumps({"id": "Systran/faster-whisper-small", "sha": COMMIT} if known else {"error": "no"})
        self.send_response(200 if known else 404)
        if not known:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def hub_address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def silent_address() -> Iterator[str]:
    """Accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def _use(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", address)


def test_a_model_of_the_hub_is_pinned_to_its_commit_without_a_download(
    monkeypatch: pytest.MonkeyPatch, hub_address: str, tmp_path: Path
) -> None:
    _use(monkeypatch, hub_address)
    found = models.resolve("auto", has_gpu=False, cache=tmp_path)
    assert (found.engine, found.model, found.revision) == (TranscriptionEngine.WHISPER, "small", COMMIT)
    assert (found.path, found.warnings) == (None, ())


def test_a_model_that_the_hub_lacks_is_not_worth_another_try(
    monkeypatch: pytest.MonkeyPatch, hub_address: str, tmp_path: Path
) -> None:
    _use(monkeypatch, hub_address)
    with pytest.raises(errors.ModelNotFoundError, match="nobody/nothing") as caught:
        models.resolve("nobody/nothing", cache=tmp_path)
    assert not caught.value.retryable


def test_a_silent_hub_is_given_up_in_time(
    monkeypatch: pytest.MonkeyPatch, silent_address: str, tmp_path: Path
) -> None:
    _use(monkeypatch, silent_address)
    started = time.monotonic()
    found = models.resolve("auto", has_gpu=False, cache=tmp_path, hub_timeout_seconds=0.5)
    # Far less than the client's own limit of 10 s, far more than a busy machine takes to import it.
    assert time.monotonic() - started < 8
    assert found.engine is TranscriptionEngine.POCKETSPHINX


def test_a_closed_port_is_no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as once:
        address = f"http://127.0.0.1:{once.getsockname()[1]}"
    _use(monkeypatch, address)
    with pytest.raises(errors.ModelUnreachableError):
        models.resolve("small", cache=tmp_path, hub_timeout_seconds=2)
