"""What the Functions host sees: orchestrators and activities under their names, JSON in and out."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from azure.functions.durable_functions import ActivityTriggerConverter
from azure.functions.meta import Datum

import function_app
from contracts import jobs
from function_app import services
from local_stack.functions_host import loader
from tests.replay import platforms, task_hub

FUNCTIONS = {function.name: function for function in loader.functions_of(function_app.app)}


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[platforms.Platform]:
    monkeypatch.setenv("AZURE_FUNCTIONS_DURABLE_STRICT_TYPING", "1")
    yield platforms.build()
    services.use(None)


def test_every_activity_that_orchestrators_call_is_registered() -> None:
    kinds = {name: function.trigger.kind for name, function in FUNCTIONS.items()}
    activities = {name for name, kind in kinds.items() if kind == "activityTrigger"}
    orchestrators = {name for name, kind in kinds.items() if kind == "orchestrationTrigger"}
    assert activities == set(task_hub.ACTIVITIES)
    assert orchestrators == set(task_hub.ORCHESTRATORS)


def test_activity_takes_and_gives_json_as_the_host_passes_it(platform: platforms.Platform) -> None:
    platform.submit(jobs.Workflow.TRANSCRIBE_ONLY, "en")
    function = FUNCTIONS["begin_run"]
    text = json.dumps({"tenant_id": "default", "job_id": platforms.JOB, "run": 1})
    given = ActivityTriggerConverter.decode(Datum(text, "string"), trigger_metadata=None)
    answer = function.call(**{function.trigger.name: given})
    encoded = ActivityTriggerConverter.encode(answer, expected_type=None)
    assert json.loads(encoded.value) == {"status": "completed"}
    assert platform.job().status is jobs.JobStatus.PROCESSING
