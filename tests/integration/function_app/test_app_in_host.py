"""The whole app in the local host, over PostgreSQL, Azurite and the broker; the tests are the workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from contracts import events, messages, queues
from contracts.errors import ErrorCode
from local_stack import postgres
from tests.integration import azurite_process, broker_process
from tests.integration.functions_host import host_process

CONFIG = host_process.REPOSITORY / "local_stack" / "Config.json"
LIMIT_SECONDS = 60.0

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A running app, and the queues that its workers would read."""

    http: httpx.Client
    service_bus: ServiceBusClient

    def submit(self) -> str:
        """A job whose file is uploaded; nobody says so but storage."""
        created = self.http.post("/jobs", json={"file_name": "a.flac"}).json()
        put = httpx.put(created["upload_url"], content=b"fLaC", headers=created["upload_headers"])
        assert put.status_code == 201
        return str(created["job_id"])

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/jobs/{job_id}").json()
        return found

    def ended(self, job_id: str) -> dict[str, Any]:
        """The job once it is over."""
        return eventually(lambda: job if (job := self.job(job_id))["finished_at"] else None)

    def take(self, job_id: str, *, dead_letter: bool = False) -> messages.StepRequest:
        """The next request of the job, completed or put aside as a broker does."""
        with self.service_bus.get_queue_receiver(queues.Queue.LID_JOBS) as receiver:
            deadline = time.monotonic() + LIMIT_SECONDS
            while time.monotonic() < deadline:
                for message in receiver.receive_messages(max_wait_time=1):
                    request = messages.StepRequest.model_validate_json(b"".join(message.body))
                    assert request.job_id == job_id
                    if dead_letter:
                        receiver.dead_letter_message(message, reason="MaxDeliveryCountExceeded")
                    else:
                        receiver.complete_message(message)
                    return request
        raise TimeoutError(f"No request of job {job_id}.")

    def answer(self, request: messages.StepRequest, outcome: events.Outcome) -> None:
        event = events.StepFinished(
            tenant_id=request.tenant_id,
            job_id=request.job_id,
            run=request.run,
            step=request.step,
            chunk=request.chunk,
            attempt=request.attempt,
            reply_to=request.reply_to,
            outcome=outcome,
            finished_at=datetime.now(UTC),
        )
        with self.service_bus.get_queue_sender(queues.Queue.JOB_EVENTS) as sender:
            sender.send_messages(ServiceBusMessage(event.model_dump_json()))


def eventually(look: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.2)
    raise TimeoutError


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory,
    database_url: str,
    azurite: azurite_process.AzuriteProcess,
    postgres_server: postgres.PostgresProcess,
) -> Iterator[Stack]:
    directory: Path = tmp_path_factory.mktemp("app")
    with broker_process.running_broker(CONFIG, directory / "broker") as broker:
        settings = {
            "DATABASE_URL": database_url,
            "AzureWebJobsStorage": azurite.connection_string,
            "SERVICE_BUS_CONNECTION_STRING": broker.connection_string,
            "FUNCTIONS_HOST_DATABASE_DIR": str(directory / "host"),
            "RETRY_FIRST_DELAY_SECONDS": "0.2",
        }
        with (
            host_process.running_host(settings, root=host_process.REPOSITORY) as host,
            ServiceBusClient.from_connection_string(broker.connection_string) as service_bus,
            httpx.Client(base_url=host.base_url, timeout=60) as http,
        ):
            # Who asks first has the app put together: the database migrated, the containers made.
            eventually(lambda: True if http.get("/ready").status_code == 200 else None)
            yield Stack(http=http, service_bus=service_bus)


def test_upload_alone_starts_a_job_and_its_final_failure_ends_it(stack: Stack) -> None:
    job_id = stack.submit()
    request = stack.take(job_id)
    assert request.inputs[messages.InputName.SOURCE].etag
    assert stack.job(job_id)["status"] == "processing"
    assert stack.http.post(f"/jobs/{job_id}/start").status_code == 202
    stack.answer(request, events.Failed(code=ErrorCode.NOT_AUDIO, message="No audio.", retryable=False))
    job = stack.ended(job_id)
    assert (job["status"], job["error"]["code"]) == ("failed", "not_audio")
    found = stack.http.get(f"/jobs/{job_id}/results").json()
    assert [error["code"] for error in found["errors"]] == ["not_audio"]


def test_dead_letter_counts_as_a_failed_attempt_and_the_next_one_follows(stack: Stack) -> None:
    job_id = stack.submit()
    first = stack.take(job_id, dead_letter=True)
    second = stack.take(job_id)
    assert (first.attempt, second.attempt) == (1, 2)
    stack.http.post(f"/jobs/{job_id}/cancel")
    stack.answer(second, events.Cancelled())
    assert stack.ended(job_id)["status"] == "cancelled"


def test_unknown_path_and_method_are_the_apis_to_refuse(stack: Stack) -> None:
    for method, path, status in (("GET", "/nothing", 404), ("PATCH", "/jobs", 405), ("GET", "/", 200)):
        assert stack.http.request(method, path).status_code == status
    problem = stack.http.get("/jobs/%00")
    assert (problem.status_code, problem.headers["content-type"]) == (404, "application/problem+json")
    assert stack.http.get("/docs").text.startswith("<!doctype html>")
