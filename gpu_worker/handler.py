"""The step `transcribe`: one chunk in, its transcript out."""

from dataclasses import dataclass

import structlog

from contracts import blobs, contract, messages, params, results, steps
from gpu_worker import audio, errors, transcripts, voice, windows
from gpu_worker.batches import Batcher, Transcribed
from gpu_worker.engines import Clip, Engine, Options
from worker_kit import errors as kit_errors
from worker_kit import model_folders
from worker_kit.context import StepContext
from worker_kit.handlers import HandlerResult, WorkUsage

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class _Task:
    """What a request to transcribe must hold."""

    chunk: int
    place: messages.ChunkAudio
    audio: blobs.BlobReference
    params: params.TranscribeParams


class TranscribeHandler:
    """Works with one engine for as long as the process lives."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._batcher = Batcher(engine)

    @property
    def steps(self) -> frozenset[steps.Step]:
        return frozenset({steps.Step.TRANSCRIBE})

    def load(self) -> None:
        self._engine.load()
        model_folders.check_unchanged(self._engine.model.path, self._engine.model.revision)

    def warm_up(self) -> None:
        self._engine.warm_up()

    def close(self) -> None:
        self._engine.close()

    def reusable(self, result: contract.Contract, context: StepContext) -> bool:  # noqa: ARG002 - nothing to look up
        """A transcript points to nothing that could be gone."""
        return isinstance(result, results.ChunkTranscript)

    def handle(self, request: messages.StepRequest, context: StepContext) -> HandlerResult:
        task = _task(request)
        self._check_model(task.params)
        warnings = self._engine.model.warnings + self._engine.warnings_for(task.params.language)
        chunk = self._read(task, context)
        planned = self._plan(task, chunk)
        spoken = self._transcribe(task, chunk, planned, context)
        seconds = chunk.bounds.end - chunk.bounds.start
        log.info(
            "chunk_transcribed",
            windows=len(planned),
            batches=spoken.batches,
            audio_seconds=round(seconds, 3),
            engine_seconds=round(spoken.engine_seconds, 3),
        )
        return HandlerResult(
            result=self._result(task, chunk, planned, spoken, warnings),
            usage=WorkUsage(
                audio_seconds=seconds,
                gpu_seconds=spoken.engine_seconds if self._engine.uses_gpu else 0.0,
                cpu_seconds=spoken.cpu_seconds,
                engine=self._engine.model.engine,
                model=self._engine.model.model,
            ),
        )

    def _check_model(self, wanted: params.TranscribeParams) -> None:
        loaded = self._engine.model
        if (wanted.engine, wanted.revision) != (loaded.engine, loaded.revision):
            raise errors.ModelMismatchError(
                wanted=f"{wanted.model} ({wanted.engine}, {wanted.revision})",
                loaded=f"{loaded.model} ({loaded.engine}, {loaded.revision})",
            )

    def _read(self, task: _Task, context: StepContext) -> audio.Chunk:
        try:
            data = context.blobs.read(task.audio)
        except kit_errors.BlobMissingError as error:
            raise errors.ChunkMissingError from error
        except kit_errors.BlobChangedError as error:
            raise errors.ChunkChangedError from error
        samples = audio.read_chunk(data, seconds=task.place.end - task.place.start)
        return audio.Chunk(samples, start=task.place.start)

    def _plan(self, task: _Task, chunk: audio.Chunk) -> tuple[windows.Window, ...]:
        given = [windows.Speech(start=span.start, end=span.end) for span in task.place.speech]
        properties = self._engine.model.properties
        return windows.plan(
            given or voice.find_speech(chunk),
            bounds=chunk.bounds,
            rules=windows.Rules(
                longest_seconds=properties.longest_window_seconds,
                join_gap_seconds=properties.join_gap_seconds,
                margin_seconds=properties.margin_seconds,
            ),
            quietest=chunk.quietest,
        )

    def _transcribe(
        self,
        task: _Task,
        chunk: audio.Chunk,
        planned: tuple[windows.Window, ...],
        context: StepContext,
    ) -> Transcribed:
        clips = [
            Clip(samples=chunk.cut(window.start, window.end), language=task.params.language)
            for window in planned
        ]

        def between(done: int) -> None:
            context.raise_if_cancelled()
            if done:
                context.progress(planned[done - 1].end)

        options = Options(beam_size=task.params.beam_size, word_times=task.params.word_times)
        return self._batcher.transcribe(clips, options, between=between)

    def _result(
        self,
        task: _Task,
        chunk: audio.Chunk,
        planned: tuple[windows.Window, ...],
        spoken: Transcribed,
        warnings: tuple[str, ...],
    ) -> results.ChunkTranscript:
        pairs = list(zip(planned, spoken.texts, strict=True))
        return results.ChunkTranscript(
            chunk=task.chunk,
            channel=task.place.channel,
            start=chunk.bounds.start,
            end=chunk.bounds.end,
            language=task.params.language or transcripts.main_language(planned, spoken.texts),
            segments=tuple(
                segment for window, text in pairs for segment in transcripts.segments_of(window, text)
            ),
            speech_seconds=transcripts.speech_seconds(planned),
            gaps=tuple(gap for window, text in pairs for gap in transcripts.gaps_of(window, text)),
            engine=self._engine.model.engine,
            model=self._engine.model.model,
            revision=self._engine.model.revision,
            warnings=warnings,
        )


def _task(request: messages.StepRequest) -> _Task:
    """Raises RequestIncompleteError."""
    chunk_audio = request.inputs.get(messages.InputName.CHUNK)
    if not isinstance(request.params, params.TranscribeParams):
        raise errors.RequestIncompleteError("params for transcription")
    if request.chunk is None or request.chunk_audio is None:
        raise errors.RequestIncompleteError("its chunk")
    if chunk_audio is None:
        raise errors.RequestIncompleteError("the chunk's sound")
    return _Task(chunk=request.chunk, place=request.chunk_audio, audio=chunk_audio, params=request.params)
