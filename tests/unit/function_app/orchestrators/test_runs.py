"""A run is started once, with everything that it depends on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from azure.durable_functions import OrchestrationRuntimeStatus

from contracts import blobs, jobs, params, steps
from function_app import errors, run_inputs, runs, settings
from function_app.store import job_store

NOW = datetime(2026, 11, 20, tzinfo=UTC)
MISSING = SimpleNamespace(runtime_status=None, message="")


def read_settings(**changes: Any) -> settings.Settings:
    return settings.Settings.model_validate(
        {
            "database_url": "postgresql://nobody@127.0.0.1/none",
            "azure_storage_connection_string": "none",
            "service_bus_connection_string": "none",
            **changes,
        }
    )


def job(**changes: Any) -> job_store.Job:
    facts: dict[str, Any] = {
        "job_id": "job-1",
        "tenant_id": "default",
        "run": 1,
        "workflow": jobs.Workflow.FULL_PIPELINE,
        "status": jobs.JobStatus.QUEUED,
        "priority": jobs.Priority.BULK,
        "file_name": "a.mp3",
        "source_language": None,
        "target_language": "en",
        "language": None,
        "language_confidence": None,
        "duration_seconds": None,
        "metadata": {},
        "source": blobs.BlobReference(container=blobs.Container.AUDIO_FILES, path="p", etag="e"),
        "created_at": NOW,
        "updated_at": NOW,
        "started_at": None,
        "finished_at": None,
        "error": None,
    }
    return job_store.Job(**{**facts, **changes})


@dataclass
class Client:
    """Durable as the client shows it: statuses one after another, and what was started."""

    statuses: list[Any]
    start_error: Exception | None = None
    started: list[tuple[str, str, Any]] = field(default_factory=list)

    async def get_status(self, instance_id: str) -> Any:  # noqa: ARG002 # the client's
        status = self.statuses.pop(0)
        if isinstance(status, Exception):
            raise status
        return status

    async def start_new(self, orchestration_function_name: str, instance_id: str, client_input: Any) -> Any:
        if self.start_error:
            raise self.start_error
        self.started.append((orchestration_function_name, instance_id, client_input))
        return instance_id


def status(name: str) -> Any:
    return SimpleNamespace(runtime_status=OrchestrationRuntimeStatus(name), message=None)


async def test_missing_instance_is_started_under_the_runs_id() -> None:
    client = Client([MISSING])
    assert await runs.start_run(client, job(run=2), read_settings())
    ((name, instance_id, given),) = client.started
    assert (name, instance_id) == ("speech_pipeline", "job-1.2")
    start = run_inputs.RunInput.model_validate(given)
    assert start.priority is jobs.Priority.BULK
    assert start.source.etag == "e"


@pytest.mark.parametrize("known", ["Running", "Pending", "Suspended", "Completed", "Failed", "Terminated"])
async def test_instance_that_exists_is_left_alone_whatever_became_of_it(known: str) -> None:
    # Durable would silently replace one that is over.
    client = Client([status(known)])
    assert not await runs.start_run(client, job(), read_settings())
    assert client.started == []


async def test_caller_who_comes_second_is_not_told_of_an_error() -> None:
    client = Client([MISSING, status("Running")], start_error=Exception("already exists"))
    assert not await runs.start_run(client, job(), read_settings())


async def test_start_that_fails_otherwise_is_an_error_to_try_again() -> None:
    client = Client([MISSING, MISSING], start_error=Exception("no storage"))
    with pytest.raises(errors.DurableUnavailableError) as caught:
        await runs.start_run(client, job(), read_settings())
    assert caught.value.retryable


@pytest.mark.parametrize(
    "answer",
    [
        # The host is not there.
        OSError("refused"),
        # The client makes a status of the body of a 500.
        SimpleNamespace(runtime_status=None, ExceptionMessage="storage"),
        SimpleNamespace(runtime_status=None, message="Internal error"),
    ],
)
async def test_unknown_state_is_never_taken_for_missing(answer: Any) -> None:
    with pytest.raises(errors.DurableUnavailableError):
        await runs.instance_state(Client([answer]), "job-1.1")


@pytest.mark.parametrize(
    ("known", "state"),
    [
        ("Running", runs.InstanceState.ALIVE),
        ("ContinuedAsNew", runs.InstanceState.ALIVE),
        ("Completed", runs.InstanceState.FINISHED),
        ("Canceled", runs.InstanceState.FINISHED),
    ],
)
async def test_state_of_an_instance(known: str, state: runs.InstanceState) -> None:
    assert await runs.instance_state(Client([status(known)]), "job-1.1") is state


def test_input_holds_every_setting_that_the_flow_depends_on() -> None:
    read = read_settings(
        lanes=3,
        max_retries=2,
        retry_first_delay_seconds=1,
        transcribe_timeout_seconds=77,
        wait_margin_seconds=5,
        whisper_model="tiny",
        whisper_model_revision="r1",
        beam_size=2,
        longest_chunk_seconds=60,
    )
    start = runs.run_input(job(), read, traceparent="00-a-b-01")
    assert (start.limits.lanes, start.limits.attempts, start.limits.wait_margin_seconds) == (3, 2, 5)
    assert start.limits.timeout_seconds[steps.Step.TRANSCRIBE] == 77
    assert (start.transcribe.model, start.transcribe.revision, start.transcribe.beam_size) == (
        "tiny",
        "r1",
        2,
    )
    assert start.prepare.longest_chunk_seconds == 60
    assert start.traceparent == "00-a-b-01"
    assert run_inputs.RunInput.model_validate(start.model_dump(mode="json")) == start


def test_without_an_endpoint_nothing_translates_and_summaries_are_extractive() -> None:
    start = runs.run_input(job(), read_settings())
    assert start.translate is None
    assert start.summarize.engine is params.LanguageModelEngine.EXTRACTIVE


def test_with_an_endpoint_both_language_steps_use_it() -> None:
    read = read_settings(language_model_base_url="http://127.0.0.1:1/v1", language_model_summarize="small")
    start = runs.run_input(job(), read)
    assert start.translate is not None
    assert (start.translate.model, start.summarize.model) == ("translate", "small")


def test_job_without_a_pinned_source_is_not_started() -> None:
    with pytest.raises(errors.FunctionAppError, match="no pinned source"):
        runs.run_input(job(source=None), read_settings())


def test_input_of_an_older_version_is_read_with_what_it_lacks() -> None:
    given = runs.run_input(job(), read_settings()).model_dump(mode="json")
    del given["limits"], given["traceparent"]
    given["a_field_of_another_version"] = 1
    assert run_inputs.RunInput.model_validate(given).limits == run_inputs.Limits()
