"""How the host starts, refuses to start, stops, and comes back."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.integration.functions_host import host_process, sample_app

wait_for = host_process.wait_for


def start_and_end(
    root: Path, settings: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local_stack.functions_host", "--root", str(root), *arguments]
    return subprocess.run(
        command,
        cwd=host_process.REPOSITORY,
        env={**settings, "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


UNSERVED = """
import azure.functions as func
app = func.FunctionApp()
@app.queue_trigger(arg_name="message", queue_name="q", connection="C")
def function(message): pass
"""

UNCONNECTED = """
import azure.functions as func
app = func.FunctionApp()
@app.blob_trigger(arg_name="blob", path="container/{name}", connection="NOT_SET")
def function(blob): pass
"""


@pytest.mark.parametrize(
    ("app", "code"),
    [
        (UNSERVED, "unsupported_binding"),
        (UNCONNECTED, "missing_app_setting"),
    ],
)
def test_app_that_cannot_be_served_ends_with_2_and_one_sentence(tmp_path: Path, app: str, code: str) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    (tmp_path / "function_app.py").write_text(app)
    ended = start_and_end(tmp_path, {}, "--port", "0")
    assert ended.returncode == 2
    assert f"({code})" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_taken_port_and_taken_database_are_refused(folder: sample_app.Folder) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        ended = start_and_end(host_process.SAMPLE_APP, folder.settings(), "--port", port)
    assert (ended.returncode, "(port_taken)" in ended.stderr) == (2, True)
    with host_process.running_host(folder.settings()):
        ended = start_and_end(host_process.SAMPLE_APP, folder.settings(), "--port", "0")
    assert (ended.returncode, "(database_taken)" in ended.stderr) == (2, True)


@pytest.mark.parametrize("file", ["host.sqlite", "durable.sqlite"])
def test_database_that_cannot_be_opened_ends_with_2_and_one_sentence(
    folder: sample_app.Folder, file: str
) -> None:
    database = folder.path / "database" / file
    database.parent.mkdir()
    database.write_bytes(b"something else " * 1000)
    ended = start_and_end(host_process.SAMPLE_APP, folder.settings(), "--port", "0")
    assert ended.returncode == 2
    assert "file is not a database. (database_unusable)" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_sigterm_answers_the_request_in_hand_and_refuses_the_next(folder: sample_app.Folder) -> None:
    unlimited = {"AzureFunctionsJobHost__functionTimeout": "-1"}
    with (
        host_process.running_host(folder.settings(**unlimited)) as host,
        ThreadPoolExecutor() as threads,
        httpx.Client(base_url=host.base_url, timeout=20) as client,
    ):
        assert client.get("/x").status_code == 404
        held = threads.submit(httpx.get, f"{host.base_url}/held/request", timeout=40)
        wait_for(lambda: host.counts()["functions"]["held"]["in_flight"] == 1)
        ending = threads.submit(host.terminate)
        wait_for(lambda: client.get("/admin/host/status").json()["state"] == "Stopping")
        assert client.get("/x").status_code == 503
        folder.release("request")
        assert held.result().text == "released"
        assert ending.result() == 0
        assert not [line for line in host.log_lines if "Unclosed" in line or "Traceback" in line]


def test_sigterm_does_not_wait_for_ever_even_for_a_thread(folder: sample_app.Folder) -> None:
    settings = folder.settings(
        AzureFunctionsJobHost__functionTimeout="-1", FUNCTIONS_HOST_SHUTDOWN_SECONDS="0.5"
    )
    with (
        host_process.running_host(settings) as host,
        ThreadPoolExecutor() as threads,
    ):
        slow = threads.submit(httpx.get, f"{host.base_url}/block/600", timeout=30)
        wait_for(lambda: host.counts()["functions"]["block"]["in_flight"] == 1)
        assert host.terminate() == 0
        assert isinstance(slow.exception(), httpx.HTTPError) or slow.result().status_code >= 500
        assert host.events("stopped_before_the_end")


def test_orchestration_goes_on_after_sigkill(folder: sample_app.Folder) -> None:
    with host_process.running_host(folder.settings()) as host:
        assert httpx.post(f"{host.base_url}/start/k-1", json={"number": 5}).status_code == 202
        wait_for(lambda: host.counts()["functions"]["add_one"]["invocations"] == 1)
        host.kill()
    with host_process.running_host(folder.settings()) as host:
        instance = f"{host.base_url}/runtime/webhooks/durabletask/instances/k-1"
        assert httpx.post(f"{instance}/raiseEvent/go.1.1", json={"late": True}).status_code == 202
        wait_for(lambda: httpx.get(instance).status_code == 200, what="the orchestration's end")
        assert httpx.get(instance).json()["output"] == {"total": 11, "event": {"late": True}}
