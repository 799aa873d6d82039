"""What `speechflow submit` does for each thing that it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from client import progress, speech_flow, texts, uploads
from contracts import api, jobs


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is wanted of everything that one command submits."""

    workflow: jobs.Workflow
    source_language: str | None
    target_language: str


Order = Callable[[speech_flow.SpeechFlow, progress.Progress], api.JobView]


def of_file(wanted: Wanted, file: Path) -> Order:
    """Uploads the recording."""

    def order(speech: speech_flow.SpeechFlow, shown: progress.Progress) -> api.JobView:
        shown.uploading(file.name, uploads.size_bytes(file))
        return speech.submit(
            file,
            workflow=wanted.workflow,
            source_language=wanted.source_language,
            target_language=wanted.target_language,
            on_bytes=shown.uploaded,
        )

    return order


def of_text(wanted: Wanted, source_job: str | None, transcript: Path | None) -> Order:
    """Names a job, or sends a transcript; nothing is uploaded."""

    def order(speech: speech_flow.SpeechFlow, _shown: progress.Progress) -> api.JobView:
        return speech.submit_text(
            workflow=wanted.workflow,
            source_language=wanted.source_language,
            target_language=wanted.target_language,
            source_job_id=source_job,
            transcript=texts.read(transcript) if transcript else None,
            file_name=transcript.name if transcript else None,
        )

    return order
