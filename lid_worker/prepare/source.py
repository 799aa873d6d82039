"""The upload, brought to the local disk."""

from pathlib import Path

from contracts import blobs, messages, params
from contracts.errors import ErrorCode
from lid_worker import errors
from worker_kit import errors as kit_errors
from worker_kit.context import StepContext


def fetch(
    request: messages.StepRequest, wanted: params.PrepareParams, context: StepContext
) -> tuple[Path, blobs.BlobReference]:
    """Streams it, in the version that the job was started with; the reference has its content hash.

    Raises SourceMissingError, SourceChangedError, TooLargeError, EmptyFileError.
    """
    reference = request.inputs.get(messages.InputName.SOURCE)
    if reference is None:
        raise kit_errors.StepError(ErrorCode.INVALID_MESSAGE, "The request to prepare names no source.")
    path = context.workspace / "source"
    try:
        fetched = context.blobs.download(
            reference,
            path,
            largest_bytes=wanted.largest_source_bytes,
            on_block=lambda _: context.raise_if_cancelled(),
        )
    except kit_errors.BlobMissingError as error:
        raise errors.SourceMissingError from error
    except kit_errors.BlobChangedError as error:
        raise errors.SourceChangedError from error
    except kit_errors.BlobTooLargeError as error:
        raise errors.TooLargeError(largest_bytes=wanted.largest_source_bytes) from error
    if fetched.size_bytes == 0:
        raise errors.EmptyFileError
    return path, fetched
