"""Why a recording cannot be prepared or its language not identified.

* worker_kit.errors.StepError
  + EmptyFileError
  + NotAudioError
  + NoAudioTrackError
  + CorruptAudioError
  + TooLongError
  + TooLargeError
  + SourceMissingError
  + SourceChangedError
  + ChunkMissingError
  + ChunkChangedError
  + ModelMismatchError
  + ModelUnavailableError
  + LanguageEngineError
"""

from contracts.errors import ErrorCode
from worker_kit.errors import StepError


class EmptyFileError(StepError):
    """The file is empty: upload it again."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.EMPTY_FILE, "The file is empty: upload it again.")


class NotAudioError(StepError):
    """The content is not a known audio or video format, whatever the file is called."""

    def __init__(self) -> None:
        super().__init__(
            ErrorCode.NOT_AUDIO,
            "The file is not audio or video that can be read, whatever its name says: upload a recording, "
            "for example WAV, MP3, M4A, FLAC, OGG, MP4 or WebM.",
        )


class NoAudioTrackError(StepError):
    """There is no such audio track."""

    def __init__(self, *, wanted: int, found: int) -> None:
        message = (
            "The file has no audio track: upload a recording with sound."
            if found == 0
            else f"The file has {found} audio track(s), counted from 0, and no track {wanted}."
        )
        super().__init__(ErrorCode.NO_AUDIO_TRACK, message)


class CorruptAudioError(StepError):
    """Nothing, or too little, of the sound can be decoded."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            ErrorCode.CORRUPT_AUDIO,
            f"The file is damaged: {detail}. Check that it plays, and upload it again.",
        )


class TooLongError(StepError):
    """The recording is longer than allowed."""

    def __init__(self, *, longest_seconds: float) -> None:
        super().__init__(
            ErrorCode.TOO_LONG,
            f"The recording is longer than {longest_seconds / 3600:g} hours: cut it into shorter files.",
        )


class TooLargeError(StepError):
    """The file is larger than allowed."""

    def __init__(self, *, largest_bytes: int) -> None:
        super().__init__(
            ErrorCode.TOO_LARGE,
            f"The file is larger than {largest_bytes / 1024**2:g} MiB: upload its sound alone.",
        )


class SourceMissingError(StepError):
    """The upload is gone."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.SOURCE_MISSING, "The uploaded file is no longer there: upload it again.")


class SourceChangedError(StepError):
    """The upload is not the one that the job was started with."""

    def __init__(self) -> None:
        super().__init__(
            ErrorCode.SOURCE_CHANGED,
            "The file was overwritten after the job had started: make a new job for the new file.",
        )


class ChunkMissingError(StepError):
    """A piece of the prepared recording is gone."""

    def __init__(self) -> None:
        super().__init__(
            ErrorCode.SOURCE_MISSING, "The prepared recording is no longer there: run the job again."
        )


class ChunkChangedError(StepError):
    """A piece of the prepared recording is not the one that was planned."""

    def __init__(self) -> None:
        super().__init__(
            ErrorCode.SOURCE_CHANGED, "The prepared recording was overwritten: run the job again."
        )


class ModelMismatchError(StepError):
    """This worker has another model than the request is pinned to."""

    def __init__(self, *, wanted: str, loaded: str) -> None:
        super().__init__(
            ErrorCode.MODEL_MISMATCH,
            f"The job wants the language model {wanted}; this worker has {loaded}. "
            "Give the workers and the function app the same LID settings.",
        )


class ModelUnavailableError(StepError):
    """The model cannot be had."""

    def __init__(self, detail: str, *, retryable: bool | None = None) -> None:
        super().__init__(ErrorCode.MODEL_UNAVAILABLE, detail, retryable=retryable)


class LanguageEngineError(StepError):
    """The engine failed on this sound."""

    def __init__(self, kind: str) -> None:
        super().__init__(ErrorCode.ENGINE_FAILED, f"Language identification failed ({kind}).")
