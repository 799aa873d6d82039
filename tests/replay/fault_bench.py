"""The function app in memory with faults in it: what becomes of each message, and when a person cancels."""

# ruff: noqa: ARG002 - the language model's protocol names its arguments

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType, SimpleNamespace
from typing import Any

from azure.durable_functions import OrchestrationRuntimeStatus

from contracts import api, blobs, errors, events, identity, jobs, messages, results, steps, workflows
from function_app import cancellations, dead_letters, runs
from function_app import errors as app_errors
from function_app.api import texts, views
from function_app.language_model import model, progress
from function_app.store import job_store
from tests.fakes import step_workers
from tests.replay import platforms, task_hub

SENTENCES = ("Hola.", "El paquete llega tarde.")
ACTIVITY_ATTEMPTS = 3
RATE_LIMIT_WAITS = 2


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """No worker finished with the request; who put it aside wrote a reason."""

    reason: str
    description: str = ""
    result_is_there: bool = False
    """A worker had written it before it died."""


@dataclass(frozen=True, kw_only=True)
class DeadEvent:
    """The worker finished, and its event was delivered in vain until it became a dead letter."""


@dataclass(frozen=True, kw_only=True)
class Lost:
    """No answer ever comes."""

    result_is_there: bool = False
    """The worker died between its result and its event."""


Fate = DeadLetter | DeadEvent | Lost | events.Failed


@dataclass
class ScriptedModel:
    """A language model that fails as it is told, and then translates every text alike."""

    failures: dict[steps.Step, list[errors.ErrorCode]]

    def translate(
        self,
        segments: Sequence[results.TranscriptSegment],
        *,
        source_language: str,
        target_language: str,
        done: progress.Progress,
        glossary: Mapping[str, str] = MappingProxyType({}),
    ) -> dict[int, str]:
        self._fail(steps.Step.TRANSLATE)
        return {segment.id: "It is late." for segment in segments}

    def summarize(
        self, transcript: results.Transcript, *, language: str, done: progress.Progress
    ) -> model.Digest:
        self._fail(steps.Step.SUMMARIZE)
        return model.Digest(language=language, text="A parcel.", key_points=())

    def _fail(self, step: steps.Step) -> None:
        if codes := self.failures.get(step):
            raise app_errors.LanguageModelError(code=codes.pop(0), message=language_model_sentence(step))


def language_model_sentence(step: steps.Step) -> str:
    """What the scripted model says of its failures."""
    return f"The language model does not {step} today. Try again tomorrow."


@dataclass
class Bench:
    """One job on a platform of its own."""

    platform: platforms.Platform
    script: ScriptedModel = field(default_factory=lambda: ScriptedModel(failures={}))
    fates: Mapping[str, Fate] = field(default_factory=dict)
    """By event name; a message without one is answered."""
    broken: dict[str, int] = field(default_factory=dict)
    """Activities, and how often each fails before it works."""
    cancel_before: int | None = None
    """The job is cancelled before the happening of this number."""
    job_id: str = platforms.JOB
    happened: list[str] = field(default_factory=list)
    sent_when_cancelled: int = 0
    failed_calls: Counter[str] = field(default_factory=Counter)

    def run(self, workflow: jobs.Workflow) -> task_hub.Instance:
        """From the upload until nothing more can happen."""
        here = self.platform
        here.workers.sentences, here.workers.language = SENTENCES, "es"
        self._submit(workflow)
        here.hub = task_hub.TaskHub(
            {name: self._activity(name) for name in task_hub.ACTIVITIES}, choose=self._choose
        )
        start = runs.run_input(self.job, here.use.settings)
        limits = start.limits.model_copy(
            update={"activity_attempts": ACTIVITY_ATTEMPTS, "rate_limit_waits": RATE_LIMIT_WAITS}
        )
        start = start.model_copy(update={"limits": limits})
        instance_id = identity.instance_id(job_id=self.job_id, run=1)
        here.hub.start("speech_pipeline", instance_id, start.model_dump(mode="json"))
        instance = here.hub.run(instance_id)
        here.hub.run_dry()
        return instance

    @property
    def job(self) -> job_store.Job:
        """As it is now."""
        return self.platform.store.get(tenant_id=platforms.TENANT, job_id=self.job_id)

    @property
    def view(self) -> api.JobView:
        """The job as its owner sees it."""
        return views.of_job(self.job, "http://here")

    @property
    def told(self) -> tuple[api.ErrorView, ...]:
        """All failures that the owner is told of: the job's and its steps'."""
        view = self.view
        found = [view.error, *(step.error for step in view.steps)]
        return tuple(error for error in found if error is not None)

    def _submit(self, workflow: jobs.Workflow) -> None:
        if workflows.starts_from_text(workflow):
            submission = api.JobSubmission(
                workflow=workflow, transcript=" ".join(SENTENCES), source_language="es"
            )
            self.job_id = texts.create(self.platform.use, submission).job_id
        else:
            asks = steps.Step.LID in workflows.steps_of(workflow)
            self.platform.submit(workflow, None if asks else "es")

    def _choose(self, waiting: list[task_hub.Happening]) -> task_hub.Happening:
        chosen = task_hub.in_order(waiting)
        if self.cancel_before == len(self.happened):
            cancellations.cancel(self.platform.use, self.job)
            self.sent_when_cancelled = len(self.platform.sender.sent)
        self.happened.append(f"{chosen.kind} {chosen.detail}")
        return chosen

    def _activity(self, name: str) -> task_hub.Activity:
        def perform(given: dict[str, Any]) -> Any:
            if self.failed_calls[name] < self.broken.get(name, 0):
                self.failed_calls[name] += 1
                raise task_hub.ActivityError("the store is away")
            sent_before = len(self.platform.sender.sent)
            answer = platforms.FUNCTIONS[name](given=given)
            for request in self.platform.sender.sent[sent_before:]:
                self._meet_its_fate(request)
            return answer

        return perform

    def _meet_its_fate(self, request: messages.StepRequest) -> None:
        match self.fates.get(request.reply_to.event_name):
            case DeadLetter(reason=reason, description=description, result_is_there=there):
                if there:
                    self.platform.workers.answer(request)
                self._give_up(
                    dead_letters.give_up_request(
                        self.platform.use,
                        HubClient(self.platform.hub),
                        request.model_dump_json().encode(),
                        reason=dead_letters.Reason(code=reason, description=description),
                    )
                )
            case DeadEvent():
                body = self._worked(request).model_dump_json().encode()
                exhausted = dead_letters.Reason(code="MaxDeliveryCountExceeded", description="")
                client = HubClient(self.platform.hub)
                self._give_up(dead_letters.give_up_event(client, body, reason=exhausted))
            case Lost(result_is_there=there):
                if there:
                    self.platform.workers.answer(request)
            case events.Failed() as failed:
                self._deliver(_finished(request, failed))
            case None:
                self._deliver(self._worked(request))

    def _worked(self, request: messages.StepRequest) -> events.StepFinished:
        """The worker's answer; it has looked for the cancel marker first."""
        marker = blobs.cancel_marker_path(tenant_id=request.tenant_id, job_id=request.job_id, run=request.run)
        if self.platform.blobs.facts(blobs.Container.WORK, marker) is None:
            return self.platform.workers.answer(request)
        return _finished(request, events.Cancelled())

    def _deliver(self, event: events.StepFinished) -> None:
        reply_to = event.reply_to
        self.platform.hub.later(reply_to.instance_id, reply_to.event_name, event.model_dump(mode="json"))

    @staticmethod
    def _give_up(giving_up: Any) -> None:
        asyncio.run(giving_up)


def _finished(request: messages.StepRequest, outcome: events.Outcome) -> events.StepFinished:
    """An answer of a worker that left no result."""
    return events.StepFinished(
        tenant_id=request.tenant_id,
        job_id=request.job_id,
        run=request.run,
        step=request.step,
        chunk=request.chunk,
        attempt=request.attempt,
        reply_to=request.reply_to,
        outcome=outcome,
        finished_at=step_workers.FINISHED_AT,
    )


@dataclass(frozen=True)
class HubClient:
    """The durable client of a task hub in memory, as far as delivering events needs one."""

    hub: task_hub.TaskHub

    async def get_status(self, instance_id: str) -> Any:
        instance = self.hub.instances.get(instance_id)
        if instance is None:
            return SimpleNamespace(runtime_status=None, message="")
        over = OrchestrationRuntimeStatus.Completed
        return SimpleNamespace(
            runtime_status=over if instance.is_final else OrchestrationRuntimeStatus.Running
        )

    async def start_new(self, orchestration_function_name: str, instance_id: str, client_input: Any) -> Any:
        raise AssertionError(f"Nothing here starts {instance_id}: events find their instance running.")

    async def raise_event(self, instance_id: str, event_name: str, event_data: Any = None) -> None:
        self.hub.later(instance_id, event_name, event_data)


def names(step: steps.Step, *, attempts: int, chunks: Sequence[int]) -> list[str]:
    """The event names of the first attempts of a step, or of these chunks of it."""
    of = chunks if step is steps.Step.TRANSCRIBE else [None]
    return [
        identity.event_name(step=step, chunk=chunk, attempt=attempt)
        for chunk in of
        for attempt in range(1, attempts + 1)
    ]
