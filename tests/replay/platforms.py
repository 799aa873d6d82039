"""The whole function app around the orchestrators, in memory: its real activities on the twins."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from contracts import blobs, events, identity, jobs, results, steps
from function_app import activities, runs, services, settings
from function_app.blobs_memory import MemoryBlobStore
from function_app.queues_memory import MemoryStepSender
from function_app.store import job_store
from function_app.store.memory import MemoryJobStore
from tests.fakes import step_workers
from tests.replay import task_hub

JOB, TENANT = "job-1", "default"


@dataclass
class Platform:
    """Everything around the orchestrators, in memory."""

    use: services.Services
    store: MemoryJobStore
    blobs: MemoryBlobStore
    sender: MemoryStepSender
    workers: step_workers.StepWorkers
    hub: task_hub.TaskHub = field(init=False)

    def job(self) -> job_store.Job:
        return self.store.get(tenant_id=TENANT, job_id=JOB)

    def submit(self, workflow: jobs.Workflow, source_language: str | None) -> None:
        path = blobs.source_path(tenant_id=TENANT, job_id=JOB)
        self.blobs.put(blobs.Container.AUDIO_FILES, path, b"sound")
        self.store.create(
            job_store.NewJob(
                job_id=JOB,
                tenant_id=TENANT,
                workflow=workflow,
                priority=jobs.Priority.NORMAL,
                file_name="a.flac",
                source_language=source_language,
                target_language="en",
                metadata={},
            )
        )
        facts = self.blobs.facts(blobs.Container.AUDIO_FILES, path)
        assert facts is not None
        assert self.store.queue(job_id=JOB, source=facts.reference)

    def run(self, workflow: jobs.Workflow, *, source_language: str | None = None) -> task_hub.Instance:
        self.submit(workflow, source_language)
        self.hub = task_hub.TaskHub({name: self._activity(name) for name in task_hub.ACTIVITIES})
        start = runs.run_input(self.job(), self.use.settings)
        instance_id = identity.instance_id(job_id=JOB, run=1)
        self.hub.start("speech_pipeline", instance_id, start.model_dump(mode="json"))
        return self.hub.run(instance_id)

    def _activity(self, name: str) -> task_hub.Activity:
        def deliver(event: events.StepFinished) -> None:
            reply_to = event.reply_to
            self.hub.later(reply_to.instance_id, reply_to.event_name, event.model_dump(mode="json"))

        return lambda given: self.perform(name, given, deliver)

    def perform(
        self, name: str, given: dict[str, Any], deliver: Callable[[events.StepFinished], None]
    ) -> Any:
        """The activity; the workers answer what it sent."""
        sent_before = len(self.sender.sent)
        answer = FUNCTIONS[name](given=given)
        json.dumps(answer)
        for request in self.sender.sent[sent_before:]:
            deliver(self.workers.answer(request))
        return answer

    def results_file(self, name: str) -> bytes:
        manifest = self.manifest()
        path = manifest.files[name]
        return self.blobs.read(blobs.BlobReference(container=blobs.Container.RESULTS, path=path))

    def manifest(self) -> results.RunManifest:
        path = blobs.run_manifest_path(tenant_id=TENANT, job_id=JOB, run=1)
        data = self.blobs.read(blobs.BlobReference(container=blobs.Container.RESULTS, path=path))
        return results.RunManifest.model_validate_json(data)

    def step(self, step: steps.Step) -> job_store.StepRecord:
        (record,) = [record for record in self.job().steps if record.step is step]
        return record


FUNCTIONS = {
    builder._function._func.__name__: builder._function._func
    for builder in activities.blueprint._function_builders
}


def build(**changes: Any) -> Platform:
    """A platform with these settings; the caller takes it out of `services` again."""
    store, blob_store, sender = MemoryJobStore(), MemoryBlobStore(), MemoryStepSender()
    read = settings.Settings.model_validate(
        {
            "database_url": "postgresql://nobody@127.0.0.1/none",
            "azure_storage_connection_string": "none",
            "service_bus_connection_string": "none",
            **changes,
        }
    )
    use = services.Services(settings=read, store=store, blobs=blob_store, sender=sender)
    services.use(use)
    return Platform(
        use=use,
        store=store,
        blobs=blob_store,
        sender=sender,
        workers=step_workers.StepWorkers(blob_store),
    )
