"""Chunks are read, checked and cut."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from contracts.errors import ErrorCode
from gpu_worker import audio, errors


def _file(seconds: float, *, rate: int = 16_000, channels: int = 1) -> bytes:
    buffer = io.BytesIO()
    samples = np.zeros((int(seconds * rate), channels), np.float32)
    soundfile.write(buffer, samples, rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def test_a_chunk_of_the_promised_kind_is_read() -> None:
    samples = audio.read_chunk(_file(1.5), seconds=1.5)
    assert samples.shape == (24_000,)
    assert samples.dtype == np.dtype("float32")


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        pytest.param(b"", "no FLAC", id="empty"),
        pytest.param(b"fLaC" + bytes(200), "no FLAC", id="damaged header"),
        pytest.param(_file(1.5, rate=8_000), "8000 Hz", id="other rate"),
        pytest.param(_file(1.5, channels=2), "2 channels", id="stereo"),
        pytest.param(_file(4.0), "4.0 s long", id="other length"),
    ],
)
def test_anything_else_is_final_and_says_why(data: bytes, detail: str) -> None:
    with pytest.raises(errors.ChunkUnreadableError, match=detail) as caught:
        audio.read_chunk(data, seconds=1.5)
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.CORRUPT_AUDIO, False)


def test_the_quietest_place_is_found_in_the_recordings_time() -> None:
    samples = np.random.default_rng(1).standard_normal(16_000 * 10).astype(np.float32)
    samples[16_000 * 6 : 16_000 * 6 + 3_200] = 0
    chunk = audio.Chunk(samples, start=100.0)
    assert chunk.quietest(104.5, 109.0) == pytest.approx(106.1, abs=0.1)
    assert chunk.quietest(107.0, 107.05) == 107.05


def test_a_cut_has_the_samples_between_two_times() -> None:
    chunk = audio.Chunk(np.arange(32_000, dtype=np.float32), start=100.0)
    cut = chunk.cut(100.5, 101.0)
    assert (cut[0], len(cut)) == (8_000, 8_000)
    assert len(chunk.cut(99.0, 200.0)) == 32_000
