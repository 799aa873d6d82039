"""The step `lid`."""

import io
from collections.abc import Mapping
from typing import Final

import numpy as np
import soundfile
import structlog

from contracts import blobs, contract, messages, params, results, steps
from contracts.errors import ErrorCode
from contracts.params import LidEngine
from lid_worker import errors, models
from lid_worker.lid import clips, voting
from lid_worker.lid.engines import AssumeEnglish, LanguageEngine, Sound
from lid_worker.prepare.sound import SAMPLE_RATE_HZ, samples
from worker_kit import errors as kit_errors
from worker_kit import model_folders
from worker_kit.context import StepContext
from worker_kit.handlers import HandlerResult, WorkUsage

log = structlog.get_logger()

NO_SPEECH_WARNING: Final = "There is no speech in the recording: its language is unknown."
_ASSUMED: Final = models.resolve(LidEngine.ASSUME_ENGLISH)


class LidHandler:
    """Plan and some of its chunks in, LanguageResult out."""

    steps = frozenset({steps.Step.LID})

    def __init__(self, model: models.ResolvedLidModel, engine: LanguageEngine) -> None:
        self._model = model
        self._engine = engine

    def load(self) -> None:
        self._engine.load()
        model_folders.check_unchanged(self._model.path, self._model.revision)

    def warm_up(self) -> None:
        """One second of faint noise, always the same."""
        noise = np.random.default_rng(0).standard_normal(SAMPLE_RATE_HZ).astype(np.float32)
        self._engine.identify(noise * np.float32(0.01))

    def handle(self, request: messages.StepRequest, context: StepContext) -> HandlerResult:
        wanted = request.params
        if not isinstance(wanted, params.LidParams):
            raise kit_errors.StepError(
                ErrorCode.INVALID_MESSAGE, "The request to identify has other parameters."
            )
        model, engine = self._pinned(wanted)
        plan = _plan(request, context)
        chosen = clips.choose(plan.chunks, most_clips=wanted.most_clips, clip_seconds=wanted.clip_seconds)
        reader = _ChunkReader(context)
        heard = [(clip, _identified(engine, clip, reader, context)) for clip in chosen]
        usage = WorkUsage(
            audio_seconds=sum(clip.speech_seconds for clip in chosen),
            engine=model.engine,
            model=model.model,
        )
        return HandlerResult(result=_result(model, heard), usage=usage)

    def reusable(
        self,
        result: contract.Contract,  # noqa: ARG002 - points to nothing
        context: StepContext,  # noqa: ARG002
    ) -> bool:
        return True

    def close(self) -> None:
        """The process ends after this."""

    def _pinned(self, wanted: params.LidParams) -> tuple[models.ResolvedLidModel, LanguageEngine]:
        """The model that the request asks for. Raises ModelMismatchError."""
        if wanted.engine is LidEngine.ASSUME_ENGLISH:
            # Needs nothing, so every worker can: a job that began without a model ends as it began.
            return _ASSUMED, AssumeEnglish()
        loaded = (self._model.engine, self._model.revision)
        if (wanted.engine, wanted.revision) != loaded:
            raise errors.ModelMismatchError(
                wanted=f"{wanted.engine} {wanted.model} {wanted.revision}",
                loaded=f"{self._model.engine} {self._model.model} {self._model.revision}",
            )
        return self._model, self._engine


def _plan(request: messages.StepRequest, context: StepContext) -> results.ChunkPlan:
    reference = request.inputs.get(messages.InputName.PLAN)
    if reference is None:
        raise kit_errors.StepError(ErrorCode.INVALID_MESSAGE, "The request to identify names no plan.")
    return results.ChunkPlan.model_validate_json(_read(reference, context))


def _read(reference: blobs.BlobReference, context: StepContext) -> bytes:
    try:
        return context.blobs.read(reference)
    except kit_errors.BlobMissingError as error:
        raise errors.ChunkMissingError from error
    except kit_errors.BlobChangedError as error:
        raise errors.ChunkChangedError from error


def _identified(
    engine: LanguageEngine, clip: clips.Clip, reader: "_ChunkReader", context: StepContext
) -> Mapping[str, float]:
    context.raise_if_cancelled()
    sound = reader.sound(clip)
    context.progress(clip.end)
    try:
        return engine.identify(sound)
    except MemoryError:
        raise
    except Exception as error:
        log.error("language_engine_failed", exc_info=error)
        raise errors.LanguageEngineError(type(error).__name__) from error


class _ChunkReader:
    """Sound of clips that come in order: the chunk that several of them share is read once."""

    def __init__(self, context: StepContext) -> None:
        self._context = context
        self._index: int | None = None
        self._flac = b""

    def sound(self, clip: clips.Clip) -> Sound:
        """The clip's speech alone. Raises ChunkMissingError, ChunkChangedError."""
        parts = []
        with soundfile.SoundFile(io.BytesIO(self._read(clip.chunk))) as file:
            for span in clip.speech:
                start, end = samples(span.start - clip.chunk.start), samples(span.end - clip.chunk.start)
                file.seek(min(max(start, 0), file.frames))
                parts.append(file.read(end - start, dtype="float32"))
        return np.concatenate(parts)

    def _read(self, chunk: results.PlannedChunk) -> bytes:
        if self._index != chunk.index:
            self._flac = _read(chunk.audio, self._context)
            self._index = chunk.index
        return self._flac


def _result(
    model: models.ResolvedLidModel, heard: list[tuple[clips.Clip, Mapping[str, float]]]
) -> results.LanguageResult:
    verdict = voting.together([(clip.speech_seconds, said) for clip, said in heard])
    return results.LanguageResult(
        language=verdict.language,
        confidence=verdict.confidence,
        votes=tuple(_vote(clip, said) for clip, said in heard),
        engine=model.engine,
        model=model.model,
        revision=model.revision,
        warnings=model.warnings if heard else (NO_SPEECH_WARNING,),
    )


def _vote(clip: clips.Clip, said: Mapping[str, float]) -> results.LanguageVote:
    best = voting.best(said)
    return results.LanguageVote(
        start=clip.start, end=clip.end, language=best.language, confidence=best.confidence
    )
