"""The transcript that a run begins with, where nothing is transcribed."""

from contracts import results
from contracts.errors import ErrorCode
from function_app import errors, run_inputs, services
from function_app.activities import answers, run_files, standing, transcript_files


def take_transcript(use: services.Services, call: run_inputs.GivenTranscriptCall) -> answers.Answer:
    """Writes the transcript's files as a transcription would, from the blob that the job was queued with.

    `completed`, `cancelled`, or `failed` when the blob is gone. Raises StoreUnavailableError and
    BlobsUnavailableError.
    """
    if standing.is_over(use.store, call.identity):
        return answers.CANCELLED
    try:
        data = use.blobs.read(call.source)
    except (errors.BlobMissingError, errors.BlobChangedError):
        return answers.failed(
            ErrorCode.SOURCE_MISSING,
            "The transcript that the job began with is no longer there. Submit it again.",
        )
    transcript = results.Transcript.model_validate_json(data)
    files = run_files.RunFiles(store=use.blobs, identity=call.identity)
    return {
        **transcript_files.write(files, transcript),
        "duration_seconds": transcript.duration_seconds or None,
    }
