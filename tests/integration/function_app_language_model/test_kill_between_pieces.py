"""SIGKILL of the functions host in the middle of a long text: no answer is asked for twice."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from local_stack import postgres
from tests.fakes import language_model_server as fake
from tests.fakes.language_model_server import Behaviour
from tests.integration import azurite_process, broker_process
from tests.integration.functions_host import host_process

pytestmark = pytest.mark.acceptance_long

CONFIG = host_process.REPOSITORY / "local_stack" / "Config.json"
PARALLEL_CALLS = 4
SENTENCE = "La sala tiene sillas y mesas."


@pytest.fixture
def model() -> Iterator[fake.Server]:
    with fake.serve() as server:
        yield server


@pytest.fixture
def settings(
    tmp_path: Path,
    database_url: str,
    azurite: azurite_process.AzuriteProcess,
    postgres_server: postgres.PostgresProcess,
    model: fake.Server,
) -> Iterator[Mapping[str, str]]:
    del postgres_server
    with broker_process.running_broker(CONFIG, tmp_path / "broker") as broker:
        yield {
            "DATABASE_URL": database_url,
            "AzureWebJobsStorage": azurite.connection_string,
            "SERVICE_BUS_CONNECTION_STRING": broker.connection_string,
            "FUNCTIONS_HOST_DATABASE_DIR": str(tmp_path / "host"),
            "LANGUAGE_MODEL_BASE_URL": model.base_url,
            "LANGUAGE_MODEL_API_KEY": "sk-hidden",
        }


@contextlib.contextmanager
def host(settings: Mapping[str, str]) -> Iterator[host_process.HostProcess]:
    with host_process.running_host(settings, root=host_process.REPOSITORY) as running:
        host_process.wait_for(
            lambda: httpx.get(f"{running.base_url}/ready", timeout=60).status_code == 200, limit_seconds=120
        )
        yield running


def lines(count: int, words: str) -> list[dict[str, Any]]:
    return [{"start": i, "end": i + 1, "text": f"{words} {i}"} for i in range(count)]


@pytest.mark.parametrize(
    ("workflow", "transcript", "pieces"),
    [
        # 12 batches of 60 segments.
        ("translate_only", lines(720, SENTENCE), 12),
        # 13 parts of 24 segments, and their summaries once more.
        ("summarize_only", lines(300, SENTENCE * 33), 14),
    ],
)
def test_pieces_that_are_done_when_the_host_is_killed_are_not_asked_for_again(
    settings: Mapping[str, str],
    model: fake.Server,
    workflow: str,
    transcript: list[dict[str, Any]],
    pieces: int,
) -> None:
    # Two rounds of calls are answered, and the third one hangs.
    done = 2 * PARALLEL_CALLS
    model.script.extend([Behaviour.OK] * done + [Behaviour.HANG] * PARALLEL_CALLS)
    body = {"workflow": workflow, "transcript": transcript, "source_language": "es"}
    with host(settings) as first:
        answer = httpx.post(f"{first.base_url}/jobs", json=body, timeout=60)
        assert answer.status_code == 201, answer.text
        job_id = answer.json()["job_id"]
        host_process.wait_for(
            lambda: len(model.calls) == done + PARALLEL_CALLS, limit_seconds=120, what="the third round"
        )
        first.kill()
    with host(settings) as second:
        address = f"{second.base_url}/jobs/{job_id}"
        host_process.wait_for(
            lambda: httpx.get(address, timeout=60).json()["finished_at"], limit_seconds=120, what="the end"
        )
        results = httpx.get(f"{address}/results", timeout=60).json()
    assert results["status"] == "completed"
    asked = Counter(call["messages"][1]["content"] for call in model.calls)
    assert len(asked) == pieces
    assert sorted(asked.values()) == [1] * (pieces - PARALLEL_CALLS) + [2] * PARALLEL_CALLS
    if workflow == "translate_only":
        translated = results["translation"]["segments"]
        assert [(one["id"], one["start"]) for one in translated] == [(i, i) for i in range(720)]
    for running in (first, second):
        log = "\n".join(running.log_lines)
        assert "sk-hidden" not in log
        assert "sillas" not in log
