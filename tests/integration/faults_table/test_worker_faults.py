"""What a worker says and does while something that it needs is missing: real processes, real servers."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from azure.storage.blob import BlobServiceClient

from contracts import blobs, events
from contracts.errors import ErrorCode
from local_stack import free_ports
from local_stack.launcher import services
from tests.integration import azurite_process, broker_process
from tests.integration.faults_table import asking
from tests.integration.worker_kit import worker_process
from tests.unit.lid_worker import sounds
from worker_kit import model_folders

pytestmark = pytest.mark.acceptance_long

COMMIT: Final = "c" * 40
LOAD_LIMIT_SECONDS: Final = 150.0
"""PyTorch alone takes half a minute where the machine has other things to do."""


@pytest.fixture(scope="module")
def app(
    storage: azurite_process.AzuriteProcess, broker: broker_process.BrokerProcess
) -> Iterator[asking.Asking]:
    with asking.Asking(storage.connection_string, broker.connection_string) as opened:
        yield opened


@contextlib.contextmanager
def running(
    storage: azurite_process.AzuriteProcess,
    broker: broker_process.BrokerProcess,
    folder: Path,
    **environment: str,
) -> Iterator[worker_process.WorkerProcess]:
    around: Mapping[str, str] = {"WORKSPACE_DIR": str(folder / "space"), **asking.QUICK, **environment}
    with worker_process.running_worker(
        "lid_worker", storage=storage, broker=broker, log_path=folder / "worker.log", environment=around
    ) as process:
        yield process


def check(worker: worker_process.WorkerProcess, name: str) -> str:
    """What /ready says of one thing; empty when nobody answers."""
    return str(worker.ready().get("checks", {}).get(name, ""))


def wait_for(worker: worker_process.WorkerProcess, name: str, *, ok: bool) -> str:
    """What /ready says once it says so."""
    worker_process.wait_until(
        lambda: check(worker, name) not in ("", "ok") if not ok else check(worker, name) == "ok",
        within_seconds=60,
        what=f"{name} {'ok' if ok else 'not ok'} in /ready",
    )
    return check(worker, name)


def test_storage_that_is_away_shows_in_ready_and_its_work_waits_for_it(
    tmp_path: Path, broker: broker_process.BrokerProcess
) -> None:
    data = tmp_path / "azurite"
    with contextlib.ExitStack() as servers:
        first = servers.enter_context(azurite_process.running_azurite(data))
        with BlobServiceClient.from_connection_string(first.connection_string) as client:
            for container in blobs.Container:
                client.create_container(container)
        app = servers.enter_context(asking.Asking(first.connection_string, broker.connection_string))
        worker = servers.enter_context(running(first, broker, tmp_path))
        request = app.request("storage-away")
        first.terminate()
        assert "torage" in wait_for(worker, "storage", ok=False)
        assert worker.ready()["status"] == "not_ready"
        app.send(request)
        worker.wait_until_logged("attempt_postponed")
        servers.enter_context(azurite_process.running_azurite(data, port=first.port))
        wait_for(worker, "storage", ok=True)
        assert isinstance(app.event().outcome, events.Completed)
        assert worker.is_running()


def test_queue_that_is_away_shows_in_ready_and_its_work_waits_for_it(
    tmp_path: Path, storage: azurite_process.AzuriteProcess
) -> None:
    with contextlib.ExitStack() as servers:
        bus = servers.enter_context(
            broker_process.running_broker(services.QUEUES, tmp_path / "state", log_path=tmp_path / "bus.log")
        )
        worker = servers.enter_context(running(storage, bus, tmp_path))
        bus.kill()
        assert "Service Bus" in wait_for(worker, "queue", ok=False)
        assert worker.ready()["status"] == "not_ready"
        bus.start()
        wait_for(worker, "queue", ok=True)
        app = servers.enter_context(asking.Asking(storage.connection_string, bus.connection_string))
        app.send(app.request("queue-away"))
        assert isinstance(app.event().outcome, events.Completed)
        assert worker.is_running()


def test_function_app_whose_clock_is_an_hour_off_is_served(
    app: asking.Asking,
    storage: azurite_process.AzuriteProcess,
    broker: broker_process.BrokerProcess,
    tmp_path: Path,
) -> None:
    with running(storage, broker, tmp_path):
        for hours in (-1, 1):
            expires_at = datetime.now(UTC) + timedelta(minutes=30, hours=hours)
            app.send(app.request(f"clock-{hours}").model_copy(update={"expires_at": expires_at}))
            assert isinstance(app.event().outcome, events.Completed)


def _may_mount() -> bool:
    """Whether this user may have a file system of their own."""
    if shutil.which("unshare") is None:
        return False
    asked = ["unshare", "--user", "--map-root-user", "--mount", "true"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _may_mount(), reason="needs user namespaces for a disk of its own")
def test_full_disk_fails_the_step_by_name_and_the_worker_goes_on(
    app: asking.Asking,
    storage: azurite_process.AzuriteProcess,
    broker: broker_process.BrokerProcess,
    tmp_path: Path,
) -> None:
    """The worker's workspace is a disk on which the upload has room, but not its sound."""
    space = tmp_path / "space"
    space.mkdir()
    size_kib = asking.ENGLISH.stat().st_size // 1024 + 40
    mount = f"mount -t tmpfs -o size={size_kib}k tmpfs {space} && exec {sys.executable} -m lid_worker"
    settings = {
        **os.environ,
        **asking.QUICK,
        "AZURE_STORAGE_CONNECTION_STRING": storage.connection_string,
        "SERVICE_BUS_CONNECTION_STRING": broker.connection_string,
        "WORKSPACE_DIR": str(space),
    }
    log = (tmp_path / "worker.log").open("wb")
    with (
        log,
        subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount],
            cwd=worker_process.ROOT,
            env=settings,
            stdout=log,
            stderr=log,
        ) as worker,
    ):
        try:
            for number in (1, 2):
                app.send(app.request(f"disk-full-{number}"))
                failed = app.event().outcome
                assert isinstance(failed, events.Failed)
                assert (failed.code, failed.retryable) == (ErrorCode.DISK_FULL, True)
                assert "115 MB for each hour" in failed.message
            assert worker.poll() is None
        finally:
            worker.terminate()


@dataclass(frozen=True, kw_only=True)
class Model:
    """A worker's model, and a file of it that nothing works without."""

    module: str
    setting: str
    folder: Path
    file: str
    repository: str
    """A hub's id for a model of this kind."""


MODELS: Final = (
    Model(
        module="lid_worker",
        setting="LID_MODEL",
        folder=sounds.LID_MODEL,
        file="model.safetensors",
        repository="someone/languages",
    ),
    Model(
        module="gpu_worker",
        setting="WHISPER_MODEL",
        folder=sounds.WHISPER_MODEL,
        file="model.bin",
        repository="someone/whisper",
    ),
)


@contextlib.contextmanager
def begun(
    model: Model,
    storage: azurite_process.AzuriteProcess,
    broker: broker_process.BrokerProcess,
    folder: Path,
    **environment: str,
) -> Iterator[worker_process.WorkerProcess]:
    """A worker that has begun, ready or not."""
    settings = {
        **asking.QUICK,
        "LID_ENGINE": "transformers",
        "WORKSPACE_DIR": str(folder / "space"),
        "AZURE_STORAGE_CONNECTION_STRING": storage.connection_string,
        "SERVICE_BUS_CONNECTION_STRING": broker.connection_string,
        **environment,
    }
    worker = worker_process.WorkerProcess(model.module, settings, folder / "worker.log")
    worker.start()
    try:
        yield worker
    finally:
        if worker.is_running():
            worker.kill()


def wait_for_fault(worker: worker_process.WorkerProcess) -> str:
    """What /ready says of the model, once it does."""
    worker_process.wait_until(
        lambda: check(worker, "model") not in ("", "loading", "ok"),
        within_seconds=LOAD_LIMIT_SECONDS,
        what="the model's fault in /ready",
    )
    assert worker.ready()["status"] == "not_ready"
    assert worker.logged("model_load_failed")
    assert check(worker, "receiving") == "not begun"
    return check(worker, "model")


@pytest.mark.timeout(3 * LOAD_LIMIT_SECONDS)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.module)
def test_damaged_model_shows_in_ready_until_it_is_repaired(
    storage: azurite_process.AzuriteProcess,
    broker: broker_process.BrokerProcess,
    tmp_path: Path,
    model: Model,
) -> None:
    copy = tmp_path / "model"
    shutil.copytree(model.folder, copy)
    whole = (copy / model.file).read_bytes()
    (copy / model.file).write_bytes(whole[: len(whole) // 2])
    with begun(model, storage, broker, tmp_path, **{model.setting: str(copy)}) as worker:
        wait_for_fault(worker)
        (copy / model.file).write_bytes(whole)
        worker.wait_until_ready(within_seconds=LOAD_LIMIT_SECONDS)
        chosen = worker.logged("model_chosen")
        assert chosen[-1]["revision"] == model_folders.revision_of(model.folder)
        assert chosen[-1]["revision"] != chosen[0]["revision"]


@pytest.mark.timeout(3 * LOAD_LIMIT_SECONDS)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.module)
def test_hub_that_is_away_shows_in_ready_until_the_model_is_to_be_had(
    storage: azurite_process.AzuriteProcess,
    broker: broker_process.BrokerProcess,
    tmp_path: Path,
    model: Model,
) -> None:
    hub = {
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "HF_ENDPOINT": f"http://127.0.0.1:{free_ports.free_port()}",
        "HF_HUB_OFFLINE": "0",
    }
    with begun(model, storage, broker, tmp_path, **hub, **{model.setting: model.repository}) as worker:
        assert "the hub cannot be reached" in wait_for_fault(worker)
        cached = tmp_path / "hub" / f"models--{model.repository.replace('/', '--')}"
        (cached / "refs").mkdir(parents=True)
        shutil.copytree(model.folder, cached / "snapshots" / COMMIT)
        (cached / "refs" / "main").write_text(COMMIT)
        worker.wait_until_ready(within_seconds=LOAD_LIMIT_SECONDS)
        assert worker.logged("model_chosen")[-1]["revision"] == COMMIT
