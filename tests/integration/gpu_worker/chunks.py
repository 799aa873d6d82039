"""Requests to transcribe a piece of sound, put into a blob store as `prepare` puts it."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from contracts import blobs, messages, params, result_keys, steps
from gpu_worker.models import ResolvedModel
from worker_kit.blobs import BlobStore, content_hash

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
WHISPER = FIXTURES / "models" / "whisper-ct2"
SAMPLE_RATE = 16_000

Samples = NDArray[np.float32]


@cache
def samples_json() -> dict[str, dict[str, Any]]:
    """Every sample's truth by its file name."""
    entries = json.loads((FIXTURES / "samples" / "samples.json").read_text(encoding="utf-8"))
    return {entry["file"]: entry for entry in entries}


def exact_samples() -> list[str]:
    """Those that the fixture model transcribes without an error."""
    return [name for name, entry in samples_json().items() if not entry["hard"]]


def read_sample(name: str) -> Samples:
    """At 16 kHz, as a chunk has it."""
    samples, rate = soundfile.read(FIXTURES / "samples" / name, dtype="float32")
    if rate == SAMPLE_RATE:
        return np.asarray(samples, np.float32)
    frame = av.AudioFrame.from_ndarray(np.asarray(samples, np.float32)[None], "flt", "mono")
    frame.sample_rate = rate
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([each.to_ndarray()[0] for each in frames]).astype(np.float32)


def to_flac(samples: Samples) -> bytes:
    """16 bit, one channel, 16 kHz."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in the recording the chunk lies, and where speech was found in it (none: not looked for)."""

    start: float = 0.0
    speech: tuple[tuple[float, float], ...] = ()


def request(
    store: BlobStore,
    model: ResolvedModel,
    sound: Samples | bytes,
    *,
    seconds: float | None = None,
    language: str | None = None,
    place: Place | None = None,
    chunk: int = 0,
    job_id: str = "job",
    **options: Any,
) -> messages.StepRequest:
    """`seconds` is what the request says of the chunk's length; by default the truth."""
    place = place or Place()
    data = sound if isinstance(sound, bytes) else to_flac(sound)
    length = seconds if seconds is not None else len(sound) / SAMPLE_RATE
    step_params = params.TranscribeParams(
        engine=model.engine, model=model.model, revision=model.revision, language=language, **options
    )
    chunk_audio = messages.ChunkAudio(
        start=place.start,
        end=place.start + length,
        speech=tuple(messages.Span(start=start, end=end) for start, end in place.speech),
    )
    path = blobs.chunk_audio_path(tenant_id="tenant", job_id=job_id, plan_key="plan", chunk=chunk)
    reference = store.ensure(blobs.Container.WORK, path, data, content_type="audio/flac")
    key = result_keys.result_key(inputs=[content_hash(data)], params=step_params, chunk_audio=chunk_audio)
    result_path = blobs.step_result_path(
        tenant_id="tenant", job_id=job_id, step=steps.Step.TRANSCRIBE, key=key, chunk=chunk
    )
    return messages.StepRequest(
        tenant_id="tenant",
        job_id=job_id,
        run=1,
        step=steps.Step.TRANSCRIBE,
        chunk=chunk,
        attempt=1,
        result=messages.ResultTarget(key=key, path=result_path),
        inputs={messages.InputName.CHUNK: reference},
        chunk_audio=chunk_audio,
        params=step_params,
        reply_to=messages.ReplyTo(instance_id=f"{job_id}.1", event_name=f"transcribe.{chunk}.1"),
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
