"""Jobs that begin with a transcript: where it comes from, what is refused, and how it is kept."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Final

from contracts import api, blobs, jobs, languages, results
from function_app import errors, given_transcripts, services
from function_app.activities import run_files
from function_app.api import job_results, submissions
from function_app.store import job_store

MOST_SEGMENTS: Final = 20_000
_LINE_ENDS: Final = "\n\r\t"
_JOB_ID: Final = re.compile("[0-9a-f]{32}")

_WITH_TRANSCRIPT: Final = frozenset({jobs.JobStatus.COMPLETED, jobs.JobStatus.PARTIAL_COMPLETE})


def create(parts: services.Services, submission: api.JobSubmission) -> job_store.Job:
    """The job, `queued`, with its transcript kept as its source.

    The blob comes before the row: who is killed between them leaves a blob that nobody refers to and no job
    that waits for ever. Raises SubmissionError, StoreUnavailableError and BlobsUnavailableError.
    """
    new = submissions.new_job(submission, parts.settings)
    transcript = _transcript(parts, submission, new)
    _check_languages(new, transcript)
    source = parts.blobs.create(
        blobs.Container.AUDIO_FILES,
        blobs.source_path(tenant_id=new.tenant_id, job_id=new.job_id),
        run_files.json_text(transcript).encode(),
        content_type=run_files.JSON,
    )
    known = None if transcript.language == languages.UNDETERMINED else transcript.language
    begun = dataclasses.replace(
        new, source=source, source_language=known, source_job_id=submission.source_job_id
    )
    return parts.store.create(begun)


def _transcript(
    parts: services.Services, submission: api.JobSubmission, new: job_store.NewJob
) -> results.Transcript:
    given, source_job_id = submission.transcript, submission.source_job_id
    if given is not None and source_job_id is not None:
        raise errors.SubmissionError("Give `transcript` or `source_job_id`, not both.", field="source_job_id")
    if source_job_id is not None:
        return _of_job(parts, source_job_id)
    if given is None:
        raise errors.TranscriptRequiredError(
            f"{submission.workflow} begins with a transcript: give `source_job_id` or `transcript`.",
            field="transcript",
        )
    _check_size(given, parts.settings.largest_transcript_characters)
    if isinstance(given, str):
        return _of_text(given, new)
    return _of_segments(given, new)


def _of_text(text: str, new: job_store.NewJob) -> results.Transcript:
    if new.source_language is None:
        raise errors.SourceLanguageRequiredError(
            "A text does not say in which language it is: give it.", field="source_language"
        )
    submissions.check_text("transcript", text, allowed=_LINE_ENDS)
    return _with_words(given_transcripts.of_text(text, language=new.source_language))


def _of_segments(lines: Sequence[api.TranscriptLine], new: job_store.NewJob) -> results.Transcript:
    last = 0.0
    for number, line in enumerate(lines):
        submissions.check_text("transcript", line.text, allowed=_LINE_ENDS)
        if line.end < line.start or line.start < last:
            message = f"Segment {number} ends before it starts, or starts before the one before it."
            raise errors.SubmissionError(message, field=f"transcript.{number}")
        last = line.start
    language = new.source_language or languages.UNDETERMINED
    return _with_words(given_transcripts.of_segments(lines, language=language))


def _with_words(transcript: results.Transcript) -> results.Transcript:
    if not transcript.segments:
        raise errors.TranscriptRequiredError("The transcript has no words.", field="transcript")
    return transcript


def _of_job(parts: services.Services, source_job_id: str) -> results.Transcript:
    """The transcript of another job of the same tenant. Raises SourceJobNotUsableError."""
    job = parts.store.find(source_job_id) if _JOB_ID.fullmatch(source_job_id) else None
    if job is None or job.tenant_id != parts.settings.default_tenant_id:
        raise _unusable(f"There is no job {source_job_id[:64]!r}.")
    if job.status not in jobs.TERMINAL:
        raise _unusable(f"Job {job.job_id} is {job.status}: wait until it has ended.")
    if job.status not in _WITH_TRANSCRIPT:
        raise _unusable(f"Job {job.job_id} is {job.status} and has no transcript.")
    transcript = job_results.transcript_of(parts, job)
    if transcript is None:
        raise _unusable(f"Job {job.job_id} has no transcript: its workflow was {job.workflow}.")
    if not transcript.segments:
        raise _unusable(f"The transcript of job {job.job_id} has no words.")
    return transcript


def _unusable(message: str) -> errors.SourceJobNotUsableError:
    return errors.SourceJobNotUsableError(message, field="source_job_id")


def _check_size(given: str | Sequence[api.TranscriptLine], most_characters: int) -> None:
    size = len(given) if isinstance(given, str) else sum(len(line.text) for line in given)
    if size > most_characters:
        raise errors.TranscriptTooLargeError(
            f"The transcript has {size} characters; at most {most_characters} are taken.", field="transcript"
        )
    if not isinstance(given, str) and len(given) > MOST_SEGMENTS:
        raise errors.TranscriptTooLargeError(
            f"The transcript has {len(given)} segments; at most {MOST_SEGMENTS} are taken.",
            field="transcript",
        )


def _check_languages(new: job_store.NewJob, transcript: results.Transcript) -> None:
    if new.workflow is jobs.Workflow.TRANSLATE_ONLY and transcript.language == new.target_language:
        message = f"The transcript is in {new.target_language} already: give another language."
        raise errors.SubmissionError(message, field="target_language")
