"""A chunk's sound: read, checked, and cut."""

import io
from typing import Final

import numpy as np
import soundfile

from gpu_worker import errors
from gpu_worker.engines import SAMPLE_RATE, Samples
from gpu_worker.windows import Speech

_FRAME_SECONDS: Final = 0.02
_SMOOTHED_FRAMES: Final = 5
_LENGTH_TOLERANCE_SECONDS: Final = 0.5


def read_chunk(data: bytes, *, seconds: float) -> Samples:
    """The samples of a chunk: FLAC, 16 kHz, one channel, about `seconds` long.

    Raises ChunkUnreadableError for anything else.
    """
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise errors.ChunkUnreadableError("it is no FLAC file, or a damaged one") from error
    if rate != SAMPLE_RATE or samples.shape[1] != 1:
        raise errors.ChunkUnreadableError(
            f"{samples.shape[1]} channels at {rate} Hz instead of one at 16 kHz"
        )
    found = len(samples) / SAMPLE_RATE
    if abs(found - seconds) > _LENGTH_TOLERANCE_SECONDS:
        raise errors.ChunkUnreadableError(f"{found:.1f} s long instead of {seconds:.1f} s")
    return np.ascontiguousarray(samples[:, 0])


class Chunk:
    """Samples with their place in the recording; all times in seconds from the recording's start."""

    def __init__(self, samples: Samples, *, start: float) -> None:
        self.samples = samples
        self.bounds = Speech(start=start, end=start + len(samples) / SAMPLE_RATE)

    def cut(self, start: float, end: float) -> Samples:
        """The samples between two times."""
        return self.samples[self._index(start) : self._index(end)]

    def quietest(self, earliest: float, latest: float) -> float:
        """The middle of the quietest tenth of a second between two times; `latest` when that is too short."""
        frame = int(_FRAME_SECONDS * SAMPLE_RATE)
        sound = self.cut(earliest, latest)
        count = len(sound) // frame
        if count < _SMOOTHED_FRAMES:
            return latest
        energy = np.square(sound[: count * frame].reshape(count, frame)).mean(1)
        smoothed = np.convolve(energy, np.ones(_SMOOTHED_FRAMES) / _SMOOTHED_FRAMES, mode="valid")
        middle = (int(smoothed.argmin()) + _SMOOTHED_FRAMES / 2) * _FRAME_SECONDS
        return min(latest, earliest + middle)

    def _index(self, time: float) -> int:
        return min(max(0, round((time - self.bounds.start) * SAMPLE_RATE)), len(self.samples))
