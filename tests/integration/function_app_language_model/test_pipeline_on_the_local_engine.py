"""The pipeline on the local Durable engine and its database: real turns, real timers, restarts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts import events, identity, jobs, results
from contracts.errors import ErrorCode
from function_app import runs, services
from local_stack.functions_host.durable import engine, limits
from tests.integration.durable import rig
from tests.replay import platforms, task_hub

INSTANCE = identity.instance_id(job_id=platforms.JOB, run=1)


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[platforms.Platform]:
    monkeypatch.setenv("AZURE_FUNCTIONS_DURABLE_STRICT_TYPING", "1")
    yield platforms.build(retry_first_delay_seconds=0.05, lanes=2)
    services.use(None)


class Engines:
    """One engine after another over the same database, as a host that is restarted."""

    def __init__(self, folder: Path, platform: platforms.Platform) -> None:
        self.folder = folder
        self.platform = platform
        self.running: engine.DurableEngine | None = None
        self.late: list[events.StepFinished] = []
        self.holds_answers = False

    async def start(self) -> engine.DurableEngine:
        self.running = engine.DurableEngine(
            database=self.folder / "durable.sqlite",
            orchestrators=dict(task_hub.ORCHESTRATORS),
            activities={name: rig.activity(self._activity(name)) for name in task_hub.ACTIVITIES},
            limits=limits.DurableLimits(max_concurrent_orchestrators=4, max_concurrent_activities=8),
        )
        await self.running.start()
        return self.running

    async def stop(self) -> None:
        if self.running:
            await self.running.stop(grace_seconds=1.0)

    def _activity(self, name: str) -> rig.Activity:
        async def perform(given: Any) -> Any:
            answered: list[events.StepFinished] = []
            answer = self.platform.perform(name, given, answered.append)
            for event in answered:
                if self.holds_answers:
                    self.late.append(event)
                else:
                    await self.deliver(event)
            return answer

        return perform

    async def deliver(self, event: events.StepFinished) -> None:
        """Twice, as a queue that delivers at least once may."""
        assert self.running
        reply_to = event.reply_to
        for _ in range(2):
            text = json.dumps(json.dumps(event.model_dump(mode="json")))
            await self.running.raise_event(reply_to.instance_id, reply_to.event_name, text)


@pytest.fixture
async def engines(tmp_path: Path, platform: platforms.Platform) -> AsyncIterator[Engines]:
    built = Engines(tmp_path, platform)
    yield built
    await built.stop()


def start_text(platform: platforms.Platform, workflow: jobs.Workflow) -> str:
    platform.submit(workflow, None)
    start = runs.run_input(platform.job(), platform.use.settings)
    return rig.client_text(start.model_dump(mode="json"))


async def test_full_pipeline_completes(engines: Engines, platform: platforms.Platform) -> None:
    durable = await engines.start()
    text = start_text(platform, jobs.Workflow.FULL_PIPELINE)
    await durable.start_new("speech_pipeline", text, instance_id=INSTANCE)
    assert rig.output(await rig.until(durable, INSTANCE)) == {"status": "completed"}
    transcript = results.Transcript.model_validate_json(platform.results_file("transcript.json"))
    assert transcript.text == "Hello there. The parcel is late. We will send another one."


async def test_failures_are_tried_again_on_durable_timers(
    engines: Engines, platform: platforms.Platform
) -> None:
    crash = events.Failed(code=ErrorCode.ENGINE_FAILED, message="Crashed.", retryable=True)
    platform.workers.failures = {"prepare.0.1": crash, "transcribe.1.1": crash, "transcribe.1.2": crash}
    durable = await engines.start()
    text = start_text(platform, jobs.Workflow.FULL_PIPELINE)
    await durable.start_new("speech_pipeline", text, instance_id=INSTANCE)
    assert rig.output(await rig.until(durable, INSTANCE)) == {"status": "completed"}
    assert platform.job().status is jobs.JobStatus.COMPLETED


async def test_restart_of_the_host_while_workers_work_loses_nothing(
    engines: Engines, platform: platforms.Platform
) -> None:
    engines.holds_answers = True
    durable = await engines.start()
    text = start_text(platform, jobs.Workflow.FULL_PIPELINE)
    await durable.start_new("speech_pipeline", text, instance_id=INSTANCE)
    async with asyncio.timeout(rig.PATIENCE_SECONDS):
        while platform.job().status is not jobs.JobStatus.COMPLETED:
            await asyncio.sleep(0.01)
            if engines.late:
                await engines.stop()
                durable = await engines.start()
                answers, engines.late = engines.late, []
                for event in answers:
                    await engines.deliver(event)
    assert rig.output(await rig.until(durable, INSTANCE)) == {"status": "completed"}
    assert len(platform.sender.sent) == 5
