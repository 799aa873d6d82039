"""What a worker brings: handlers that turn one request into one result."""

from dataclasses import dataclass, field
from typing import Protocol

from contracts import contract, messages, steps
from worker_kit.context import StepContext


@dataclass(frozen=True, kw_only=True)
class WorkUsage:
    """What the work used; the kit adds waiting time, run time and the worker's id."""

    audio_seconds: float = 0.0
    gpu_seconds: float = 0.0
    cpu_seconds: float | None = None
    """None: the kit reports the CPU time of the thread in which `handle` ran."""
    engine: str = ""
    model: str = ""


@dataclass(frozen=True, kw_only=True)
class HandlerResult:
    """What `handle` answers."""

    result: contract.Contract
    """Stored as JSON under the request's result path: ChunkPlan, LanguageResult or ChunkTranscript.

    The inline facts of the event are taken from it (`step_results.facts_of`), so that a reused result
    announces the same facts as a fresh one.
    """
    usage: WorkUsage = field(default_factory=WorkUsage)


class StepHandler(Protocol):
    """Does one or more kinds of step.

    `handle` runs in a thread, up to `max_concurrent_steps` of them side by side; it is never called before
    `load` and `warm_up` have returned. To fail, raise `errors.StepError(code, message)`; every other
    exception becomes `internal_error`, retryable. StepCancelledError, WorkAbandonedError and
    BlobsUnavailableError are let through.
    """

    @property
    def steps(self) -> frozenset[steps.Step]:
        """Which steps; two handlers of one worker share none."""

    def load(self) -> None:
        """Loads the model, once, at the start. May take minutes; runs in a thread."""

    def warm_up(self) -> None:
        """One small piece of real work after `load`, so that the first request is not the slow one."""

    def handle(self, request: messages.StepRequest, context: StepContext) -> HandlerResult:
        """Does the work. The same request gives an equal result, however often it is done."""

    def reusable(self, result: contract.Contract, context: StepContext) -> bool:
        """Whether a stored result still serves; False when something it points to is gone."""

    def close(self) -> None:
        """Frees what `load` took; called once, when nothing runs any more."""
