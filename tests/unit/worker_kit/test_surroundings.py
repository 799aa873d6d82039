"""Health, readiness, loading, settings, workspaces, threads and logs."""

from __future__ import annotations

import asyncio
import fcntl
import json
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pydantic
import pytest

from contracts import blobs, contract, steps
from tests.unit.worker_kit import builders, waiting
from worker_kit import (
    context,
    errors,
    health,
    hub,
    loading,
    readiness,
    run,
    step_results,
    threads,
    workspaces,
)
from worker_kit.backoff import Backoff
from worker_kit.memory_blobs import MemoryBlobStore
from worker_kit.memory_queue import MemoryEvents, MemoryQueue
from worker_kit.metrics import WorkerMetrics
from worker_kit.readiness import Check, Readiness
from worker_kit.settings import WorkerSettings

ROOT = Path(__file__).resolve().parents[3]


class UnluckyHandler(builders.ScriptedHandler):
    """Cannot be loaded at first."""

    def __init__(self, *, failures: int) -> None:
        super().__init__()
        self.failures = failures
        self.warm = False

    def load(self) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the hub is away")

    def warm_up(self) -> None:
        self.warm = True


def quick_backoff() -> Backoff:
    return Backoff(first_seconds=0.01, longest_seconds=0.02)


def test_ready_names_what_is_missing_until_nothing_is() -> None:
    state, metrics = Readiness(), WorkerMetrics()
    with health.serving(health.create_app(state, metrics), host="127.0.0.1", port=0) as port:
        url = f"http://127.0.0.1:{port}"
        early = httpx.get(f"{url}/ready")
        assert early.status_code == 503
        assert early.json()["checks"]["model"] == "loading"
        assert httpx.get(f"{url}/health").json()["status"] == "ok"
        for check in Check:
            state.note(check)
        assert httpx.get(f"{url}/ready").status_code == 200
        state.note(Check.STORAGE, "Blob storage does not answer.")
        late = httpx.get(f"{url}/ready")
        assert (late.status_code, late.json()["checks"]["storage"]) == (503, "Blob storage does not answer.")


def test_metrics_are_prometheus_text() -> None:
    metrics = WorkerMetrics()
    metrics.lock_lost_total.inc()
    with health.serving(health.create_app(Readiness(), metrics), host="127.0.0.1", port=0) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics")
    assert "lock_lost_total 1.0" in answer.text
    assert answer.headers["content-type"].startswith("text/plain")


async def test_outages_show_in_readiness_and_pass() -> None:
    state, queue, store, stop = Readiness(), MemoryQueue(), MemoryBlobStore(), asyncio.Event()
    watching = asyncio.create_task(
        readiness.watch(state, queue=queue, blob_store=store, every_seconds=0.01, stop=stop)
    )
    await waiting.until(lambda: state.checks()["queue"] == state.checks()["storage"] == "ok")
    store.available = queue.available = False
    await waiting.until(lambda: state.checks()["storage"] == "Blob storage does not answer.")
    await waiting.until(lambda: state.checks()["queue"] == "Service Bus does not answer.")
    store.available = queue.available = True
    await waiting.until(lambda: state.checks()["queue"] == state.checks()["storage"] == "ok")
    stop.set()
    await asyncio.wait_for(watching, 5)


async def test_model_that_cannot_be_loaded_is_tried_again_and_shown_meanwhile() -> None:
    handler, state, stop = UnluckyHandler(failures=2), Readiness(), asyncio.Event()
    loaded = await loading.load_all(lambda: [handler], state=state, backoff=quick_backoff(), stop=stop)
    assert loaded == [handler]
    assert handler.warm
    assert state.checks()["model"] == "ok"


async def test_model_that_cannot_be_found_is_sought_again_and_shown_meanwhile() -> None:
    state, stop, gone = Readiness(), asyncio.Event(), threading.Event()
    handler = builders.ScriptedHandler()

    def find() -> list[builders.ScriptedHandler]:
        if gone.is_set():
            raise hub.HubError("The hub is away.")
        return [handler]

    gone.set()
    running = asyncio.create_task(loading.load_all(find, state=state, backoff=quick_backoff(), stop=stop))
    await waiting.until(lambda: state.checks()["model"] == "The hub is away.")
    gone.clear()
    assert await asyncio.wait_for(running, 5) == [handler]
    assert state.checks()["model"] == "ok"


async def test_model_that_nobody_has_ends_the_search() -> None:
    def find() -> list[builders.ScriptedHandler]:
        raise hub.NotInHubError("The hub has no such model.")

    with pytest.raises(hub.NotInHubError, match="no such model"):
        await loading.load_all(find, state=Readiness(), backoff=quick_backoff(), stop=asyncio.Event())


async def test_stop_while_loading_ends_it() -> None:
    handler, state, stop = UnluckyHandler(failures=10**9), Readiness(), asyncio.Event()
    running = asyncio.create_task(
        loading.load_all(lambda: [handler], state=state, backoff=quick_backoff(), stop=stop)
    )
    await waiting.until(lambda: "the hub is away" in state.checks()["model"])
    stop.set()
    assert await asyncio.wait_for(running, 5) is None


async def test_whole_worker_becomes_ready_works_and_drains(tmp_path: Path) -> None:
    handler, state, queue, sent = builders.ScriptedHandler(), Readiness(), MemoryQueue(), MemoryEvents()
    around = run.Surroundings(
        queue=queue, event_sender=sent, blob_store=MemoryBlobStore(), workspace=tmp_path
    )
    stop = asyncio.Event()
    working = asyncio.create_task(
        run.work(builders.settings(), lambda: [handler], around, state, WorkerMetrics(), stop)
    )
    queue.put(builders.body(builders.request()), message_id="a")
    await waiting.until(lambda: queue.completed == ["a"])
    await waiting.until(state.ready)
    stop.set()
    assert await asyncio.wait_for(working, 10)
    assert handler.closed
    assert not state.ready()


async def test_worker_that_is_told_to_stop_does_not_wait_for_storage_that_is_away(tmp_path: Path) -> None:
    asked, answer = threading.Event(), threading.Event()

    class SilentStore(MemoryBlobStore):
        def ping(self) -> None:
            asked.set()
            answer.wait(60)

    around = run.Surroundings(
        queue=MemoryQueue(), event_sender=MemoryEvents(), blob_store=SilentStore(), workspace=tmp_path
    )
    stop = asyncio.Event()
    handler = builders.ScriptedHandler()
    working = asyncio.create_task(
        run.work(builders.settings(), lambda: [handler], around, Readiness(), WorkerMetrics(), stop)
    )
    await waiting.until(asked.is_set)
    stop.set()
    await asyncio.wait_for(working, 10)
    answer.set()


async def test_worker_whose_work_hangs_gives_itself_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker_kit.attempts.SPARE_SECONDS", 0.05)
    monkeypatch.setattr("worker_kit.clocks.seconds_left", lambda *_: 0.05)
    ends = threading.Event()

    def hang(*_: object) -> contract.Contract:
        ends.wait(60)
        return builders.plan()

    queue = MemoryQueue()
    around = run.Surroundings(
        queue=queue, event_sender=MemoryEvents(), blob_store=MemoryBlobStore(), workspace=tmp_path
    )
    queue.put(builders.body(builders.request()), message_id="a")
    settings, handler = builders.settings(hang_seconds=0.05), builders.ScriptedHandler(hang)
    with pytest.raises(errors.WorkHangsError):
        await asyncio.wait_for(
            run.work(settings, lambda: [handler], around, Readiness(), WorkerMetrics(), asyncio.Event()), 30
        )
    assert queue.completed == ["a"]
    assert not handler.closed
    ends.set()


def test_settings_need_a_queue_and_a_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVICE_BUS_CONNECTION_STRING", "AZURE_STORAGE_CONNECTION_STRING"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(pydantic.ValidationError, match="AZURE_STORAGE_CONNECTION_STRING"):
        WorkerSettings()
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "a-secret")
    with pytest.raises(pydantic.ValidationError, match="SERVICE_BUS_CONNECTION_STRING"):
        WorkerSettings()
    monkeypatch.setenv("SERVICE_BUS_CONNECTION_STRING", "a-secret")
    assert "a-secret" not in repr(WorkerSettings())


def test_workspace_of_a_killed_process_is_removed_and_of_a_living_one_kept(tmp_path: Path) -> None:
    dead, living = tmp_path / "speechflow-worker-dead", tmp_path / "speechflow-worker-living"
    for folder in (dead, living):
        folder.mkdir()
        (folder / "in-use").touch()
    with (living / "in-use").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with workspaces.process_workspace(str(tmp_path)) as own:
            assert not dead.exists()
            assert living.exists()
            assert own.parent == tmp_path
    assert not own.exists()


async def test_thread_hands_over_results_and_errors() -> None:
    def fail() -> None:
        raise KeyError("x")

    assert await threads.run_in_thread(lambda: 7, name="seven") == 7
    with pytest.raises(KeyError):
        await threads.run_in_thread(fail, name="fail")


async def test_thread_whose_waiter_gave_up_ends_quietly() -> None:
    done, go = threading.Event(), threading.Event()

    def work() -> None:
        go.wait(5)
        done.set()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(threads.run_in_thread(work, name="late"), 0.01)
    go.set()
    await waiting.until(done.is_set)


def test_cancel_marker_is_not_asked_for_all_the_time(tmp_path: Path) -> None:
    asked: list[str] = []

    class CountingStore(MemoryBlobStore):
        def find(self, container: blobs.Container, path: str) -> blobs.BlobReference | None:
            asked.append(path)
            return super().find(container, path)

    around = context.StepContext(
        request=builders.request(), blob_store=CountingStore(), workspace=tmp_path, cancel_check_seconds=60
    )
    assert [around.cancelled() for _ in range(100)] == [False] * 100
    assert asked == ["tenant/job/cancelled-1"]


def test_storage_outage_is_not_taken_for_a_cancel(tmp_path: Path) -> None:
    store = MemoryBlobStore()
    store.available = False
    around = context.StepContext(request=builders.request(), blob_store=store, workspace=tmp_path)
    assert not around.cancelled()


def test_backoff_doubles_to_its_limit_and_begins_anew_after_a_success() -> None:
    backoff = Backoff(first_seconds=1.0, longest_seconds=4.0)
    pauses = [backoff.next_seconds() for _ in range(6)]
    assert all(limit / 2 <= pause <= limit for pause, limit in zip(pauses, [1, 2, 4, 4, 4, 4], strict=True))
    backoff.succeeded()
    assert backoff.next_seconds() <= 1.0


def test_every_step_of_a_worker_has_a_result() -> None:
    assert set(step_results.RESULT_OF_STEP) == {steps.Step.PREPARE, steps.Step.LID, steps.Step.TRANSCRIBE}


def test_stored_results_come_back_equal() -> None:
    plan = builders.plan()
    assert step_results.from_bytes(steps.Step.PREPARE, step_results.to_bytes(plan)) == plan


def test_log_lines_are_json_with_the_worker_id() -> None:
    # In a process of its own: it configures all logging of its process.
    said = (
        "import logging, structlog; from worker_kit import logs;"
        "logs.configure(level='INFO', worker_id='worker-9');"
        "structlog.get_logger().info('something_happened', chunk=3);"
        "logging.getLogger('library').warning('odd')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", said], cwd=ROOT, capture_output=True, check=True, timeout=60
    )
    ours, library = map(json.loads, ended.stdout.splitlines())
    assert (ours["event"], ours["chunk"], ours["worker_id"]) == ("something_happened", 3, "worker-9")
    assert (library["event"], library["message"]) == ("library_log", "odd")
