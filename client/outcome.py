"""What a job came to: its view and its results as one value, for people and for machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from client import errors, speech_flow
from contracts import api, jobs, steps


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """An ended job with whatever it left."""

    view: api.JobView
    results: api.JobResults

    @property
    def succeeded(self) -> bool:
        return self.view.status is jobs.JobStatus.COMPLETED

    @property
    def skipped(self) -> dict[steps.Step, str]:
        """Why steps of the workflow were not done."""
        return {
            step.step: step.skipped_because or "not needed"
            for step in self.view.steps
            if step.status is steps.StepStatus.SKIPPED
        }

    def as_json(self) -> dict[str, Any]:
        """The results with the job's error, if it had one, in JSON's own types."""
        error = self.view.error
        return {
            **self.results.model_dump(mode="json"),
            "file_name": self.view.file_name,
            "error": error.model_dump(mode="json") if error else None,
        }


def fetch(server: speech_flow.SpeechFlow, view: api.JobView) -> Outcome:
    """The outcome of an ended job; a job that left nothing has empty results."""
    try:
        results = server.results(view.job_id)
    except errors.RequestRefusedError as error:
        if not errors.is_no_results(error):
            raise
        results = _nothing(view)
    return Outcome(view=view, results=results)


def _nothing(view: api.JobView) -> api.JobResults:
    return api.JobResults(
        job_id=view.job_id,
        run=view.run,
        status=view.status,
        workflow=view.workflow,
        language=view.language,
        language_confidence=None,
        duration_seconds=view.duration_seconds,
        transcript=None,
        translation=None,
        summary=None,
        files={},
        steps=view.steps,
        errors=(view.error,) if view.error else (),
        warnings=(),
    )
