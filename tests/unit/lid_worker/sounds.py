"""Recordings for tests: the samples, and files made from them with PyAV."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import soundfile

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
SAMPLES = FIXTURES / "samples"
LID_MODEL = FIXTURES / "models" / "lid"
WHISPER_MODEL = FIXTURES / "models" / "whisper-ct2"


def described() -> list[dict[str, Any]]:
    """What samples.json says of each sample."""
    entries: list[dict[str, Any]] = json.loads((SAMPLES / "samples.json").read_text())
    return entries


def samples_of(name: str) -> npt.NDArray[np.int16]:
    """A sample's sound; those asked for here have 16 kHz."""
    sound, rate = soundfile.read(SAMPLES / name, dtype="int16")
    assert rate == 16000
    return np.asarray(sound, dtype=np.int16)


def encode(
    path: Path,
    sound: npt.NDArray[np.int16],
    *,
    codec: str,
    rate: int = 16000,
    layout: str = "mono",
    container: str | None = None,
    video: bool = False,
    delay_seconds: float = 0.0,
    tracks: int = 1,
) -> Path:
    """Writes the sound, through PyAV, into any container; returns the path."""
    with av.open(str(path), "w", format=container) as output:
        pictures = _add_video(output) if video else None
        streams = [output.add_stream(codec, rate=rate, layout=layout) for _ in range(tracks)]
        if pictures is not None:
            _write_video(output, pictures)
        for stream in streams:
            _write_sound(output, stream, sound, rate=rate, layout=layout, delay_seconds=delay_seconds)
    return path


def encode_video_alone(path: Path) -> Path:
    """Moving pictures without sound."""
    with av.open(str(path), "w") as output:
        _write_video(output, _add_video(output))
    return path


def _add_video(output: Any) -> Any:
    stream = output.add_stream("mpeg4", rate=5)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    return stream


def _write_video(output: Any, stream: Any) -> None:
    for number in range(10):
        picture = np.full((48, 64, 3), number, dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = number
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def _write_sound(
    output: Any,
    stream: Any,
    sound: npt.NDArray[np.int16],
    *,
    rate: int,
    layout: str,
    delay_seconds: float,
) -> None:
    whole = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout="mono")
    whole.sample_rate = 16000
    coder = stream.codec_context
    resampler = av.AudioResampler(
        format=coder.format, layout=layout, rate=rate, frame_size=coder.frame_size or 1024
    )
    place = int(delay_seconds * rate)
    for frame in [*resampler.resample(whole), *resampler.resample(None)]:
        frame.pts, frame.time_base = place, Fraction(1, rate)
        place += frame.samples
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))
