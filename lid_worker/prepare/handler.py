"""The step `prepare`."""

from typing import Final

import numpy as np

from contracts import blobs, contract, messages, params, results, steps
from contracts.errors import ErrorCode
from lid_worker.prepare import cutting, listening, source, writing
from lid_worker.prepare.sound import SAMPLE_RATE_HZ, samples, seconds
from lid_worker.prepare.voice import VoiceModel, VoiceStream
from worker_kit import errors
from worker_kit.context import StepContext
from worker_kit.handlers import HandlerResult, WorkUsage

ENGINE: Final = "pyav+silero-vad"


class PrepareHandler:
    """Source in, chunks and ChunkPlan out. Needs disk for the source and 115 MB per hour; no torch."""

    steps = frozenset({steps.Step.PREPARE})

    def __init__(self) -> None:
        self._model: VoiceModel | None = None

    def load(self) -> None:
        """Voice detection: 1 MB, from the faster-whisper package."""
        self._model = VoiceModel()

    def warm_up(self) -> None:
        """One second of silence."""
        tuple(VoiceStream(self._loaded()).feed(np.zeros(SAMPLE_RATE_HZ, dtype=np.int16)))

    def handle(self, request: messages.StepRequest, context: StepContext) -> HandlerResult:
        wanted = request.params
        if not isinstance(wanted, params.PrepareParams):
            raise errors.StepError(ErrorCode.INVALID_MESSAGE, "The request to prepare has other parameters.")
        path, reference = source.fetch(request, wanted, context)
        heard = listening.listen(
            path, reference=reference, wanted=wanted, model=self._loaded(), context=context
        )
        path.unlink()
        pieces = cutting.cut(heard.spans, longest=samples(wanted.longest_chunk_seconds))
        chunks = writing.write_chunks(pieces, heard.pcm_path, request=request, context=context)
        plan = results.ChunkPlan(
            source=heard.source,
            audio_seconds=seconds(heard.total),
            speech_seconds=seconds(sum(span.length for span in heard.spans)),
            chunks=chunks,
            warnings=heard.warnings,
        )
        usage = WorkUsage(audio_seconds=plan.audio_seconds, engine=ENGINE, model="silero-v6")
        return HandlerResult(result=plan, usage=usage)

    def reusable(self, result: contract.Contract, context: StepContext) -> bool:
        """A plan serves as long as its chunks are there; they are removed when a job ends."""
        if not isinstance(result, results.ChunkPlan) or not result.chunks:
            return True
        first = result.chunks[0].audio
        folder = first.path.rpartition("/")[0]
        there = frozenset(context.blobs.paths(blobs.Container.WORK, f"{folder}/"))
        return all(chunk.audio.path in there for chunk in result.chunks)

    def close(self) -> None:
        self._model = None

    def _loaded(self) -> VoiceModel:
        if self._model is None:
            raise errors.StepError(
                ErrorCode.INTERNAL_ERROR, "The worker was asked to work before it had loaded."
            )
        return self._model
