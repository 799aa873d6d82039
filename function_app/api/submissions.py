"""From the body of POST /jobs to a job: what pydantic cannot know is checked here."""

import unicodedata
import uuid
from collections.abc import Mapping
from typing import Final

from contracts import api, jobs, languages, workflows
from function_app import errors, settings, uploads
from function_app.store import job_store

_MOST_METADATA: Final = 50
_LONGEST_METADATA_KEY: Final = 128
_LONGEST_METADATA_VALUE: Final = 1024
_MOST_GLOSSARY: Final = 500
_LONGEST_TERM: Final = 200


def new_job(submission: api.JobSubmission, read: settings.Settings) -> job_store.NewJob:
    """The job, under a new id, with its languages in their normal form; its source is yet to come.

    Raises SubmissionError and UploadTooLargeError.
    """
    _check_workflow(submission, read)
    _check_metadata(submission.metadata)
    _check_glossary(submission.glossary)
    if submission.size_bytes is not None:
        uploads.check_size(submission.size_bytes, read)
    source = submission.source_language
    return job_store.NewJob(
        job_id=uuid.uuid4().hex,
        tenant_id=read.default_tenant_id,
        workflow=submission.workflow,
        priority=submission.priority,
        file_name=_file_name(submission),
        source_language=None if source is None else language("source_language", source),
        target_language=language("target_language", submission.target_language),
        metadata=dict(submission.metadata),
        glossary=dict(submission.glossary),
    )


def language(field: str, code: str) -> str:
    """The code's normal form. Raises UnknownLanguageError."""
    try:
        return languages.parse(code)
    except languages.UnknownLanguageError as error:
        raise errors.UnknownLanguageError(f"{error}.", field=field) from error


def known_language(field: str, code: str) -> str:
    """As `language`; also takes the word for a recording whose language nobody can know."""
    return code if code == languages.UNDETERMINED else language(field, code)


def _check_workflow(submission: api.JobSubmission, read: settings.Settings) -> None:
    workflow = submission.workflow
    if workflow is jobs.Workflow.TRANSCRIBE_ONLY and submission.source_language is None:
        raise errors.SourceLanguageRequiredError(
            f"{workflow} does not identify the language: give it.", field="source_language"
        )
    if workflow is jobs.Workflow.TRANSLATE_ONLY and read.language_model_base_url is None:
        raise errors.WorkflowNotAvailableError(
            f"{workflow} needs a language model, and none is configured: set LANGUAGE_MODEL_BASE_URL to an "
            "OpenAI-compatible endpoint.",
            field="workflow",
        )
    if not workflows.starts_from_text(workflow):
        _check_recording(submission)


def _check_recording(submission: api.JobSubmission) -> None:
    """What only workflows that begin with a text take."""
    for field in ("source_job_id", "transcript"):
        if getattr(submission, field) is not None:
            message = f"{submission.workflow} begins with a recording: leave this out."
            raise errors.SubmissionError(message, field=field)
    if submission.file_name is None:
        raise errors.SubmissionError("Give the name of the file that will be uploaded.", field="file_name")


def _file_name(submission: api.JobSubmission) -> str:
    name = submission.file_name
    if name is None:
        return "transcript.txt" if isinstance(submission.transcript, str) else "transcript.json"
    try:
        check_text("file_name", name)
    except errors.SubmissionError as error:
        message = "The name has control characters: give the file another name."
        raise errors.FileNameError(message, field="file_name") from error
    return name


def _check_glossary(glossary: Mapping[str, str]) -> None:
    if len(glossary) > _MOST_GLOSSARY:
        raise errors.SubmissionError(f"At most {_MOST_GLOSSARY} words are kept.", field="glossary")
    for words in (*glossary, *glossary.values()):
        check_text("glossary", words)
        if not words.strip() or len(words) > _LONGEST_TERM:
            raise errors.SubmissionError(f"A word has 1 to {_LONGEST_TERM} characters.", field="glossary")


def _check_metadata(metadata: Mapping[str, str]) -> None:
    if len(metadata) > _MOST_METADATA:
        raise errors.SubmissionError(f"At most {_MOST_METADATA} pairs are kept.", field="metadata")
    for key, value in metadata.items():
        check_text("metadata", key)
        check_text("metadata", value)
        if not 0 < len(key) <= _LONGEST_METADATA_KEY:
            message = f"A key has 1 to {_LONGEST_METADATA_KEY} characters."
            raise errors.SubmissionError(message, field="metadata")
        if len(value) > _LONGEST_METADATA_VALUE:
            message = f"A value has at most {_LONGEST_METADATA_VALUE} characters."
            raise errors.SubmissionError(message, field="metadata")


def check_text(field: str, text: str, *, allowed: str = "") -> None:
    """Control characters break logs and terminals, NUL and lone surrogates cannot be stored.

    Raises SubmissionError for those that are not in `allowed`.
    """
    if any(unicodedata.category(one) in ("Cc", "Cs") and one not in allowed for one in text):
        raise errors.SubmissionError("Control characters are not allowed.", field=field)
