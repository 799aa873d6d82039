"""What can go wrong in transcription.

* worker_kit.errors.WorkerError
  + StepError
    - ChunkMissingError           source_missing, final
    - ChunkChangedError           source_changed, final
    - ChunkUnreadableError        corrupt_audio, final
    - RequestIncompleteError      invalid_message, final
    - LanguageUnsupportedError    unsupported_language, final
    - ModelMismatchError          model_mismatch, retryable
    - EngineFailedError           engine_failed, retryable
    - EngineMemoryError           out_of_memory, retryable
  + ModelError
    - ModelNotFoundError          model_unavailable, final: the setting names nothing that can be had
    - ModelUnreachableError       model_unavailable, retryable
"""

from contracts.errors import ErrorCode
from worker_kit import errors


class ChunkMissingError(errors.StepError):
    """A piece of the prepared recording is gone: chunks are removed when their job ends."""

    def __init__(self) -> None:
        message = "A piece of the prepared recording is no longer there. Run the job again."
        super().__init__(ErrorCode.SOURCE_MISSING, message)


class ChunkChangedError(errors.StepError):
    """A piece of the prepared recording is not the one that was asked for."""

    def __init__(self) -> None:
        message = "A piece of the prepared recording was overwritten. Run the job again."
        super().__init__(ErrorCode.SOURCE_CHANGED, message)


class ChunkUnreadableError(errors.StepError):
    """The chunk is not the sound that was promised."""

    def __init__(self, detail: str) -> None:
        message = f"A piece of the recording cannot be read ({detail}). Run the job again."
        super().__init__(ErrorCode.CORRUPT_AUDIO, message)


class RequestIncompleteError(errors.StepError):
    """The request lacks what transcription needs."""

    def __init__(self, lacking: str) -> None:
        super().__init__(ErrorCode.INVALID_MESSAGE, f"The request to transcribe lacks {lacking}.")


class LanguageUnsupportedError(errors.StepError):
    """The model does not know the language."""

    def __init__(self, *, language: str, model: str) -> None:
        message = f"The model {model} cannot transcribe {language}. Choose another with WHISPER_MODEL."
        super().__init__(ErrorCode.UNSUPPORTED_LANGUAGE, message)


class ModelMismatchError(errors.StepError):
    """The request is pinned to another model than the one that is loaded."""

    def __init__(self, *, wanted: str, loaded: str) -> None:
        message = f"The request is for {wanted}, and this worker has loaded {loaded}."
        super().__init__(ErrorCode.MODEL_MISMATCH, message)


class EngineFailedError(errors.StepError):
    """The engine broke off."""

    def __init__(self, engine: str) -> None:
        super().__init__(ErrorCode.ENGINE_FAILED, f"The engine {engine} failed while it transcribed.")


class EngineMemoryError(errors.StepError):
    """The device has too little memory."""

    def __init__(self, engine: str) -> None:
        message = f"The engine {engine} ran out of memory. A smaller WHISPER_BATCH_WINDOWS needs less."
        super().__init__(ErrorCode.OUT_OF_MEMORY, message)


class ModelError(errors.WorkerError):
    """The model cannot be had."""

    code = ErrorCode.MODEL_UNAVAILABLE


class ModelNotFoundError(ModelError):
    """WHISPER_MODEL names no model."""


class ModelUnreachableError(ModelError):
    """The model is neither in the cache nor can it be fetched from the hub."""

    retryable = True
