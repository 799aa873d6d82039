"""What a run knows so far; rebuilt from the history at every replay."""

from dataclasses import dataclass, field
from typing import Any

from azure.durable_functions import DurableOrchestrationContext

from contracts import blobs, jobs, languages, results, steps
from function_app import run_inputs
from function_app.orchestrators import hands


@dataclass(kw_only=True)
class Flow:
    """Filled by the steps, one after another; a later step reads what an earlier one left."""

    context: DurableOrchestrationContext
    start: run_inputs.RunInput
    language: str | None
    language_confidence: float | None = None
    plan: blobs.BlobReference | None = None
    chunk_count: int | None = None
    audio_seconds: float | None = None
    transcribe_params: Any = None
    transcript: blobs.BlobReference | None = None
    failed_chunks: tuple[int, ...] = ()
    keys: dict[steps.Step, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    errors: list[results.RunError] = field(default_factory=list)
    fatal: results.RunError | None = None
    """The failure of an essential step: it ends the run."""
    is_cancelled: bool = False

    @property
    def is_over(self) -> bool:
        """No further step is begun."""
        return self.is_cancelled or self.fatal is not None

    @property
    def is_silent(self) -> bool:
        """`prepare` found no speech."""
        return self.chunk_count == 0

    @property
    def status(self) -> jobs.JobStatus:
        """What the run ends as."""
        if self.is_cancelled:
            return jobs.JobStatus.CANCELLED
        if self.fatal:
            return jobs.JobStatus.FAILED
        return jobs.JobStatus.PARTIAL_COMPLETE if self.errors else jobs.JobStatus.COMPLETED

    @property
    def identity(self) -> run_inputs.RunIdentity:
        """The run."""
        return run_inputs.identity_of(self.start)

    def call(self, activity: str, facts: run_inputs.Facts) -> Any:
        """The task of an activity with the run's retry options."""
        return hands.call(self.context, self.start.limits, activity, facts)

    def language_for_engine(self) -> str | None:
        """The language that `transcribe` is told; None lets the model listen for it."""
        return None if self.language == languages.UNDETERMINED else self.language
