"""NAME.job.json: read with patience for how people write files, and a sentence for what they get wrong."""

import dataclasses
import difflib
import json
import unicodedata
from typing import Any, Final

import pydantic

from contracts import api, drop_folder, workflows
from contracts.drop_folder import RejectionCode
from function_app import errors, settings
from function_app.api import submissions
from function_app.store import job_store

LARGEST_BYTES: Final = 64 * 1024
LONGEST_NAME: Final = 255
PATH_METADATA: Final = "drop_folder_path"
"""Comes back with the job: files of one name in several folders are told apart by it."""

_AGAIN: Final = "Correct the manifest and drop it again."


def parse(data: bytes) -> drop_folder.Manifest:
    """Raises RejectedFileError with a sentence for whoever wrote it."""
    value = _json(_text(data))
    if not isinstance(value, dict):
        message = f'The manifest must be a JSON object, such as {{"source_language": "en"}}. {_AGAIN}'
        raise errors.RejectedFileError(RejectionCode.MANIFEST_NOT_AN_OBJECT, message)
    unknown = [name for name in value if name not in drop_folder.Manifest.model_fields]
    if unknown:
        raise _unknown_option(unknown[0])
    try:
        return drop_folder.Manifest.model_validate(value)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"] if part != "[key]")
        raise _wrong(field, f"{first['msg']}.") from error


def new_job(
    manifest: drop_folder.Manifest, *, path: str, file_name: str, size_bytes: int, read: settings.Settings
) -> job_store.NewJob:
    """The job that a file and its manifest ask for. Raises RejectedFileError."""
    _check_file(path, file_name, size_bytes)
    if workflows.starts_from_text(manifest.workflow):
        raise _wrong(
            "workflow", f"{manifest.workflow} begins with a transcript. Submit it with POST /jobs instead."
        )
    submission = api.JobSubmission(file_name=file_name, size_bytes=size_bytes, **manifest.model_dump())
    try:
        new = submissions.new_job(submission, read)
    except errors.UploadTooLargeError as error:
        raise errors.RejectedFileError(RejectionCode.FILE_TOO_LARGE, str(error)) from error
    except errors.SubmissionError as error:
        raise _wrong(error.field, str(error)) from error
    return dataclasses.replace(new, metadata={PATH_METADATA: path} | new.metadata)


def _check_file(path: str, file_name: str, size_bytes: int) -> None:
    if size_bytes == 0:
        raise errors.RejectedFileError(RejectionCode.FILE_EMPTY, "The file is empty: drop it again.")
    if len(file_name) > LONGEST_NAME:
        message = f"The file's name has {len(file_name)} characters; at most {LONGEST_NAME} are taken."
        raise errors.RejectedFileError(RejectionCode.FILE_NAME_NOT_ALLOWED, message)
    try:
        submissions.check_text("file_name", path)
    except errors.SubmissionError as error:
        message = "The file's name has control characters: give it another name and drop it again."
        raise errors.RejectedFileError(RejectionCode.FILE_NAME_NOT_ALLOWED, message) from error


def check_size(size_bytes: int) -> None:
    """Before it is read. Raises RejectedFileError."""
    if size_bytes > LARGEST_BYTES:
        message = f"The manifest has {size_bytes} bytes; at most {LARGEST_BYTES} are read. {_AGAIN}"
        raise errors.RejectedFileError(RejectionCode.MANIFEST_TOO_LARGE, message)


def _text(data: bytes) -> str:
    try:
        # Windows' editors begin a file with a byte order mark.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"The manifest is not text in UTF-8. Save it as UTF-8 and drop it again. {_AGAIN}"
        raise errors.RejectedFileError(RejectionCode.MANIFEST_NOT_TEXT, message) from error


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"look at line {error.lineno}, column {error.colno}"
        raise _not_json(place if text.strip() else "it is empty") from error
    except (ValueError, RecursionError) as error:
        raise _not_json("a number is too long or lists are nested too deep") from error


def _not_json(why: str) -> errors.RejectedFileError:
    message = f"The manifest is not valid JSON: {why}. {_AGAIN}"
    return errors.RejectedFileError(RejectionCode.MANIFEST_NOT_JSON, message)


def _unknown_option(name: str) -> errors.RejectedFileError:
    known = sorted(drop_folder.Manifest.model_fields)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    message = f"The manifest has an option `{printable(name)}`, which is unknown.{hint} The options are: "
    message += f"{', '.join(known)}. {_AGAIN}"
    return errors.RejectedFileError(RejectionCode.MANIFEST_UNKNOWN_OPTION, message)


def _wrong(field: str, why: str) -> errors.RejectedFileError:
    message = f"The manifest's option `{printable(field)}` is wrong: {why} {_AGAIN}"
    return errors.RejectedFileError(RejectionCode.MANIFEST_INVALID_OPTION, message)


def printable(text: str) -> str:
    """Somebody's text inside a sentence of ours: cut, and without what cannot be stored or shown."""
    return "".join("?" if unicodedata.category(one) in ("Cc", "Cs") else one for one in text[:100])
