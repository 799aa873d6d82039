"""A scripted world for the orchestrators: workers that answer early, late, twice or never, and a store."""

# ruff: noqa: ARG002 - every activity is called alike
from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from contracts import errors, events, identity, jobs, params, steps
from function_app import run_inputs
from tests.replay import task_hub

JOB = "job-1"
INSTANCE = f"{JOB}.1"
ETAG = '"0x8D"'
HASH = "sha256:" + "ab" * 32

Outcome = dict[str, Any]


class Delivery(enum.StrEnum):
    """How a worker's answer comes."""

    NORMAL = "normal"
    EARLY = "early"
    """Before the activity that sent the message has ended."""
    TWICE = "twice"
    EARLY_AND_LATER = "early_and_later"
    LATE = "late"
    """After the backstop."""
    NEVER = "never"


def run_input(
    workflow: jobs.Workflow = jobs.Workflow.TRANSCRIBE_ONLY,
    *,
    source_language: str | None = "es",
    target_language: str = "en",
    lanes: int = 4,
    translates: bool = True,
) -> dict[str, Any]:
    """What a run begins with."""
    model = {"engine": "openai", "model": "m", "prompt_revision": "1"}
    start = run_inputs.RunInput(
        job_id=JOB,
        run=1,
        tenant_id="default",
        workflow=workflow,
        source={"container": "audio-files", "path": f"default/{JOB}/source", "etag": ETAG},
        source_language=source_language,
        target_language=target_language,
        limits=run_inputs.Limits(
            lanes=lanes,
            activity_attempts=4,
            timeout_seconds={
                steps.Step.PREPARE: 1800,
                steps.Step.LID: 1800,
                steps.Step.TRANSCRIBE: 1800,
            },
        ),
        prepare=params.PrepareParams(),
        lid=params.LidParams(engine=params.LidEngine.WHISPER, model="tiny", revision="1"),
        transcribe=params.TranscribeParams(
            engine=params.TranscriptionEngine.WHISPER, model="tiny", revision="1"
        ),
        translate=model if translates else None,
        summarize=model,
    )
    return start.model_dump(mode="json")


def reference(path: str) -> dict[str, Any]:
    """A blob in `results`."""
    return {"container": "results", "path": path, "etag": ETAG, "content_hash": HASH, "size_bytes": 10}


def failure(
    code: errors.ErrorCode = errors.ErrorCode.ENGINE_FAILED, message: str = "The engine crashed."
) -> Outcome:
    """What a worker answers when it failed."""
    failed = events.Failed(code=code, message=message, retryable=code in errors.RETRYABLE)
    return failed.model_dump(mode="json")


CANCELLED: Outcome = {"status": "cancelled"}


@dataclass
class World:
    """Answers activities. `script` maps event names (`transcribe.0.1`) to outcomes other than success."""

    chunk_count: int = 3
    language: str = "es"
    script: dict[str, Outcome] = field(default_factory=dict)
    delivery: dict[str, Delivery] = field(default_factory=dict)
    found_by_reconciliation: set[str] = field(default_factory=set)
    """Event names whose result lies there although no event came."""
    reused: set[str] = field(default_factory=set)
    cancelled_at: str | None = None
    """From this event name on the store says that the job is cancelled."""
    language_answers: dict[str, list[Outcome]] = field(default_factory=dict)
    transcript_failure: Outcome | None = None
    """What a job that begins with a transcript finds instead of it."""
    broken: set[str] = field(default_factory=set)
    """Activities that fail at every attempt."""
    hub: task_hub.TaskHub = field(init=False)
    is_cancelled: bool = False
    ended: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hub = task_hub.TaskHub(
            {name: self._guarded(name, getattr(self, name)) for name in task_hub.ACTIVITIES}
        )

    def run(self, given: dict[str, Any]) -> task_hub.Instance:
        """One run, from its start until nothing more happens."""
        self.hub.start("speech_pipeline", INSTANCE, given)
        return self.hub.run(INSTANCE)

    def called(self, activity: str) -> list[dict[str, Any]]:
        """What the activity was called with, in order."""
        return [given for name, given in self.hub.calls if name == activity]

    def dispatched(self) -> list[str]:
        """The event names of everything that was handed over, in order."""
        return [given["reply_to"]["event_name"] for given in self.called("dispatch_step")]

    def recorded(self) -> dict[str, str]:
        """Steps and their last recorded status."""
        ends = {given["step"]: given["status"] for given in self.called("record_step")}
        return ends | {given["step"]: "skipped" for given in self.called("skip_step")}

    @property
    def end(self) -> dict[str, Any]:
        """What the run was ended with."""
        (end,) = self.ended
        return end

    def _guarded(self, name: str, activity: Callable[[dict[str, Any]], Any]) -> Callable[..., Any]:
        def perform(given: dict[str, Any]) -> Any:
            if name in self.broken:
                raise task_hub.ActivityError(f"{name} is broken")
            return activity(given)

        return perform

    # Activities.

    def begin_run(self, given: dict[str, Any]) -> Outcome:
        return CANCELLED if self.is_cancelled else {"status": "completed"}

    def dispatch_step(self, given: dict[str, Any]) -> Outcome:
        name = given["reply_to"]["event_name"]
        if name == self.cancelled_at:
            self.is_cancelled = True
        if self.is_cancelled:
            return CANCELLED
        if name in self.reused:
            return self.success(given) | {"reused": True}
        self._deliver(given, self.delivery.get(name, Delivery.NORMAL))
        return {"status": "sent"}

    def _deliver(self, given: dict[str, Any], delivery: Delivery) -> None:
        reply_to, event = given["reply_to"], self.event(given)
        target = (reply_to["instance_id"], reply_to["event_name"], event)
        if delivery in (Delivery.EARLY, Delivery.EARLY_AND_LATER):
            self.hub.raise_event(*target)
        if delivery in (Delivery.NORMAL, Delivery.TWICE, Delivery.EARLY_AND_LATER):
            self.hub.later(*target)
        if delivery is Delivery.TWICE:
            self.hub.later(*target)
        if delivery is Delivery.LATE:
            self.hub.later(*target, after=timedelta(seconds=1862))

    def event(self, given: dict[str, Any]) -> dict[str, Any]:
        """The worker's StepFinished."""
        name = given["reply_to"]["event_name"]
        finished = events.StepFinished.model_validate(
            {
                "tenant_id": "default",
                "job_id": JOB,
                "run": 1,
                "step": given["step"],
                "chunk": given["chunk"],
                "attempt": given["attempt"],
                "reply_to": given["reply_to"],
                "outcome": self.script.get(name) or self.success(given),
                "finished_at": "2026-11-20T12:00:00Z",
            }
        )
        return finished.model_dump(mode="json")

    def success(self, given: dict[str, Any]) -> Outcome:
        """A completed outcome of the step."""
        facts: dict[str, Any] = {
            "prepare": {
                "step": "prepare",
                "source_content_hash": HASH,
                "audio_seconds": 60.0,
                "speech_seconds": 50.0,
                "chunk_count": self.chunk_count,
            },
            "lid": {"step": "lid", "language": self.language, "confidence": 0.9},
            "transcribe": {
                "step": "transcribe",
                "audio_seconds": 20.0,
                "segment_count": 2,
                "gap_seconds": 0.0,
            },
        }
        path = f"default/{JOB}/steps/{given['step']}/{given['chunk'] or 0}.json"
        return {"status": "completed", "result": reference(path), "facts": facts[given["step"]]}

    def reconcile_step(self, given: dict[str, Any]) -> Outcome:
        if given["reply_to"]["event_name"] in self.found_by_reconciliation:
            return self.success(given)
        return failure(errors.ErrorCode.TIMED_OUT, "No answer came in time.")

    def begin_transcription(self, given: dict[str, Any]) -> Outcome:
        return CANCELLED if self.is_cancelled else {"status": "completed"}

    def record_step(self, given: dict[str, Any]) -> Outcome:
        return {"status": "completed"}

    def record_chunk(self, given: dict[str, Any]) -> Outcome:
        return {"status": "completed"}

    def skip_step(self, given: dict[str, Any]) -> Outcome:
        return {"status": "completed"}

    def merge_transcript(self, given: dict[str, Any]) -> Outcome:
        return {
            "status": "completed",
            "result": reference(f"default/{JOB}/runs/1/transcript.json"),
            "language": given["language"] or "und",
            "files": {"transcript.json": f"default/{JOB}/runs/1/transcript.json"},
            "warnings": [],
        }

    def take_transcript(self, given: dict[str, Any]) -> Outcome:
        if self.is_cancelled:
            return CANCELLED
        if self.transcript_failure is not None:
            return self.transcript_failure
        return {
            "status": "completed",
            "result": reference(f"default/{JOB}/runs/1/transcript.json"),
            "language": self.language,
            "files": {"transcript.json": f"default/{JOB}/runs/1/transcript.json"},
            "warnings": [],
            "duration_seconds": 12.5,
        }

    def translate(self, given: dict[str, Any]) -> Outcome:
        return self._language_answer("translate")

    def summarize(self, given: dict[str, Any]) -> Outcome:
        return self._language_answer("summarize")

    def _language_answer(self, step: str) -> Outcome:
        if self.is_cancelled:
            return CANCELLED
        scripted = self.language_answers.get(step)
        if scripted:
            return scripted.pop(0)
        return {"status": "completed", "key": f"{step}-key", "files": {f"{step}.json": step}, "warnings": []}

    def finish_run(self, given: dict[str, Any]) -> Outcome:
        self.ended.append(given)
        return {"status": given["status"]}

    def fail_run(self, given: dict[str, Any]) -> Outcome:
        self.ended.append(given)
        return {"status": given["status"]}


def names(step: steps.Step, chunks: range, attempt: int = 1) -> list[str]:
    """Event names of chunks."""
    return [identity.event_name(step=step, chunk=chunk, attempt=attempt) for chunk in chunks]
