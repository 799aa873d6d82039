"""Chunks as FLAC, into storage."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from contracts import blobs, messages, results
from lid_worker.prepare.cutting import Piece
from lid_worker.prepare.sound import SAMPLE_BYTES, SAMPLE_RATE_HZ, seconds
from lid_worker.prepare.speech import Stretch
from worker_kit.context import StepContext


def write_chunks(
    pieces: Sequence[Piece], pcm_path: Path, *, request: messages.StepRequest, context: StepContext
) -> tuple[results.PlannedChunk, ...]:
    """Uploads every piece under the plan's key; the same sound gives the same bytes under the same names."""
    chunks = []
    with pcm_path.open("rb") as pcm:
        for index, piece in enumerate(pieces):
            context.raise_if_cancelled()
            pcm.seek(piece.start * SAMPLE_BYTES)
            audio = _upload(pcm.read(piece.length * SAMPLE_BYTES), index, request, context)
            chunks.append(_planned(index, piece, audio))
    return tuple(chunks)


def to_flac(sound: bytes) -> bytes:
    """FLAC of raw 16 kHz mono samples; lossless, and without any date in it."""
    target = io.BytesIO()
    soundfile.write(
        target, np.frombuffer(sound, dtype="<i2"), SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16"
    )
    return target.getvalue()


def _upload(
    sound: bytes, index: int, request: messages.StepRequest, context: StepContext
) -> blobs.BlobReference:
    path = blobs.chunk_audio_path(
        tenant_id=request.tenant_id, job_id=request.job_id, plan_key=request.result.key, chunk=index
    )
    reference = context.blobs.ensure(blobs.Container.WORK, path, to_flac(sound), content_type="audio/flac")
    # By content, not by ETag: chunks are removed when a job ends, and made again for a later run.
    return reference.model_copy(update={"etag": None})


def _planned(index: int, piece: Piece, audio: blobs.BlobReference) -> results.PlannedChunk:
    return results.PlannedChunk(
        index=index,
        start=seconds(piece.start),
        end=seconds(piece.end),
        overlap_seconds=seconds(piece.overlap),
        speech=tuple(_span(stretch) for stretch in piece.speech),
        audio=audio,
    )


def _span(stretch: Stretch) -> messages.Span:
    return messages.Span(start=seconds(stretch.start), end=seconds(stretch.end))
