"""Decoding whatever people upload."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from contracts.errors import ErrorCode
from lid_worker import errors
from lid_worker.prepare import decoding
from lid_worker.prepare.sound import SAMPLE_RATE_HZ
from tests.unit.lid_worker import sounds
from worker_kit.errors import StepError

SAMPLE = "english.flac"


def decoded(
    path: Path, *, audio_track: int = 0
) -> tuple[np.ndarray[Any, np.dtype[np.int16]], tuple[str, ...]]:
    with decoding.opened(path, audio_track=audio_track) as recording:
        blocks = list(decoding.blocks(recording))
        return np.concatenate(blocks), decoding.warnings(recording)


def as_wav(path: Path) -> bytes:
    soundfile.write(path, sounds.samples_of("english-conversation.flac"), SAMPLE_RATE_HZ)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.wav", {"codec": "pcm_s16le"}),
        ("float.wav", {"codec": "pcm_f32le", "rate": 44100}),
        ("telephone.wav", {"codec": "pcm_alaw", "rate": 8000}),
        ("surround.flac", {"codec": "flac", "rate": 48000, "layout": "5.1"}),
        ("stereo.mp3", {"codec": "libmp3lame", "rate": 44100, "layout": "stereo"}),
        ("a.m4a", {"codec": "aac", "rate": 44100}),
        ("a.aac", {"codec": "aac", "rate": 48000, "container": "adts"}),
        ("a.opus", {"codec": "libopus", "rate": 48000}),
        ("a.webm", {"codec": "libopus", "rate": 48000}),
        ("a.aiff", {"codec": "pcm_s16be"}),
        ("a.ts", {"codec": "aac", "rate": 48000, "container": "mpegts"}),
        ("video.mp4", {"codec": "aac", "rate": 48000, "video": True}),
    ],
)
def test_every_usual_format_gives_the_same_sound(tmp_path: Path, name: str, how: dict[str, Any]) -> None:
    original = sounds.samples_of(SAMPLE)
    sound, warnings = decoded(sounds.encode(tmp_path / name, original, **how))
    assert len(sound) == pytest.approx(len(original), abs=0.1 * SAMPLE_RATE_HZ)
    assert warnings == ()
    assert _likeness(sound, original) > 0.8


def _likeness(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> float:
    """Correlation of loudness in steps of 50 ms: indifferent to a codec's delay."""
    steps = min(len(first), len(second)) // 800
    loudness = [np.abs(x[: steps * 800].astype(float)).reshape(-1, 800).mean(axis=1) for x in (first, second)]
    return float(np.corrcoef(loudness[0], loudness[1])[0, 1])


def test_sixteen_kilohertz_mono_comes_through_bit_for_bit(tmp_path: Path) -> None:
    original = sounds.samples_of(SAMPLE)
    sound, _ = decoded(sounds.encode(tmp_path / "a.wav", original, codec="pcm_s16le"))
    assert np.array_equal(sound, original)


def test_sound_that_begins_after_the_pictures_keeps_its_place(tmp_path: Path) -> None:
    original = sounds.samples_of(SAMPLE)
    path = sounds.encode(
        tmp_path / "video.mp4", original, codec="aac", rate=48000, video=True, delay_seconds=1.5
    )
    sound, warnings = decoded(path)
    lead = int(1.5 * SAMPLE_RATE_HZ)
    assert len(sound) == pytest.approx(len(original) + lead, abs=0.1 * SAMPLE_RATE_HZ)
    assert not sound[: lead - 800].any()
    assert _likeness(sound[lead:], original) > 0.8
    assert warnings == ()


def test_wanted_track_is_decoded_and_a_missing_one_named(tmp_path: Path) -> None:
    path = sounds.encode(tmp_path / "two.mka", sounds.samples_of(SAMPLE), codec="flac", tracks=2)
    for number in (0, 1):
        _, (warning,) = decoded(path, audio_track=number)
        assert f"has 2 audio tracks, and only track {number + 1} was used" in warning
    with pytest.raises(errors.NoAudioTrackError, match=r"2 audio track\(s\).*no track 2"):
        decoded(path, audio_track=2)


NOT_RECORDINGS: dict[str, tuple[Callable[[Path], object], ErrorCode]] = {
    "text": (lambda path: path.write_text("This is no sound.\n" * 100), ErrorCode.NOT_AUDIO),
    "page": (lambda path: path.write_text("<html><body>hello</body></html>"), ErrorCode.NOT_AUDIO),
    "archive": (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(5000)), ErrorCode.NOT_AUDIO),
    "playlist": (lambda path: path.write_text("#EXTM3U\n#EXTINF:9,\nhttp://x/y.ts\n"), ErrorCode.NOT_AUDIO),
    "file-list": (lambda path: path.write_text("ffconcat version 1.0\nfile a.wav\n"), ErrorCode.NOT_AUDIO),
    "pictures": (sounds.encode_video_alone, ErrorCode.NO_AUDIO_TRACK),
    "header-alone": (lambda path: path.write_bytes(b"RIFF\xff\xff\x00\x00WAVE"), ErrorCode.CORRUPT_AUDIO),
    "index-lost": (
        lambda path: path.write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(2000)),
        ErrorCode.CORRUPT_AUDIO,
    ),
}


@pytest.mark.parametrize("kind", NOT_RECORDINGS)
def test_what_is_no_recording_is_refused_in_words(tmp_path: Path, kind: str) -> None:
    write, code = NOT_RECORDINGS[kind]
    path = tmp_path / ("a.mp4" if kind == "pictures" else "a.mp3")
    write(path)
    with pytest.raises(StepError) as caught:
        decoded(path)
    assert (caught.value.code, caught.value.retryable) == (code, False)
    assert str(caught.value).endswith(".")


def test_flac_whose_sound_is_garbage_is_corrupt(tmp_path: Path) -> None:
    data = bytearray((sounds.SAMPLES / SAMPLE).read_bytes())
    data[100:] = np.random.default_rng(1).bytes(len(data) - 100)
    (tmp_path / "a.flac").write_bytes(data)
    with pytest.raises(errors.CorruptAudioError):
        decoded(tmp_path / "a.flac")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3"])
def test_half_a_file_gives_half_its_sound_and_a_warning(tmp_path: Path, name: str) -> None:
    original = sounds.samples_of("english-conversation.flac")
    codecs = {
        "a.wav": {"codec": "pcm_s16le"},
        "a.flac": {"codec": "flac"},
        "a.mp3": {"codec": "libmp3lame", "rate": 44100},
    }
    path = sounds.encode(tmp_path / name, original, **codecs[name])  # type: ignore[arg-type]  # a table of settings
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    sound, warnings = decoded(path)
    assert 0.4 < len(sound) / len(original) < 0.6
    assert "could be decoded" in warnings[0]


def test_file_of_which_little_is_left_is_corrupt(tmp_path: Path) -> None:
    data = as_wav(tmp_path / "whole.wav")
    (tmp_path / "a.wav").write_bytes(data[: len(data) // 10])
    with pytest.raises(errors.CorruptAudioError, match="only"):
        decoded(tmp_path / "a.wav")


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF], ids=["zero", "unknown"])
def test_wav_that_was_streamed_with_a_wrong_length_is_whole(tmp_path: Path, length: int) -> None:
    data = bytearray(as_wav(tmp_path / "whole.wav"))
    data[4:8] = data[40:44] = length.to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(data)
    sound, warnings = decoded(tmp_path / "a.wav")
    assert len(sound) == len(sounds.samples_of("english-conversation.flac"))
    assert warnings == ()


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    minute = np.tile(sounds.samples_of(SAMPLE), 8)[: 60 * SAMPLE_RATE_HZ]
    path = sounds.encode(tmp_path / "ten-minutes.flac", np.tile(minute, 10), codec="flac")
    tracemalloc.start()
    try:
        with decoding.opened(path, audio_track=0) as recording:
            total = sum(len(block) for block in decoding.blocks(recording))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == 600 * SAMPLE_RATE_HZ
    assert peak < 4 * 1024**2  # its sound is 19 MB
