"""Small files that claim, or become, something huge."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Final

import av
import numpy as np
import soundfile

_YEARS_SECONDS: Final = 10_000_000
_MANY: Final = 2_000_000_000


def slow_wav(path: Path) -> None:
    """One sample a second: 16,000 of ours for each byte."""
    data = bytes([128]) * 200_000
    head = struct.pack("<IHHIIHH", 16, 1, 1, 1, 1, 1, 8)
    path.write_bytes(
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + head
        + b"data" + struct.pack("<I", len(data)) + data
    )  # fmt: skip


def slow_flac(path: Path) -> None:
    """The same in a kilobyte, and in blocks that are each 18 hours long."""
    soundfile.write(path, np.zeros(4 * 65_535, np.int16), 1, format="FLAC", subtype="PCM_16")


def fast_wav(path: Path) -> None:
    """So many samples a second that no filter to bring them down fits into memory."""
    data = bytes(40_000)
    head = struct.pack("<IHHIIHH", 16, 1, 1, 700_000_001, 1_400_000_002, 2, 16)
    path.write_bytes(
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + head
        + b"data" + struct.pack("<I", len(data)) + data
    )  # fmt: skip


def hole(path: Path) -> None:
    """A tenth of a second, months of nothing, and another tenth."""
    with av.open(str(path), "w", format="matroska") as output:
        stream = output.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for start_seconds in (0, _YEARS_SECONDS):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), "s16", "mono")
            frame.sample_rate, frame.time_base = 16_000, Fraction(1, 16_000)
            frame.pts = start_seconds * 16_000
            for packet in stream.encode(frame):
                output.mux(packet)


def hours_of_silence(path: Path) -> None:
    """An honest bomb: three hours in some kilobytes."""
    with soundfile.SoundFile(path, "w", 8_000, 1, "PCM_16", format="FLAC") as file:
        for _ in range(180):
            file.write(np.zeros(60 * 8_000, np.int16))


def endless_wav(path: Path) -> None:
    """Four gigabytes, says its header; there are two bytes."""
    head = struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    path.write_bytes(
        b"RIFF\xf0\xff\xff\xffWAVEfmt " + head + b"data" + struct.pack("<I", 0xFFFFFFD0) + b"\0\0"
    )


def crowded_mp4(path: Path) -> None:
    """An index of two thousand million samples in six hundred bytes."""
    entry = _box(
        b"mp4a", bytes(6) + struct.pack(">H", 1) + bytes(8) + struct.pack(">HHHHI", 1, 16, 0, 0, 16_000 << 16)
    )
    tables = b"".join(
        _full(name, struct.pack(f">{len(numbers)}I", *numbers) + more)
        for name, numbers, more in (
            (b"stsd", [1], entry),
            (b"stts", [1, _MANY, 1024], b""),
            (b"stsc", [1, 1, _MANY, 1], b""),
            (b"stsz", [1, _MANY], b""),
            (b"stco", [1, 48], b""),
        )
    )
    information = _box(b"minf", _full(b"smhd", bytes(4)) + _box(b"stbl", tables))
    handler = _full(b"hdlr", bytes(4) + b"soun" + bytes(13))
    header = _full(b"mdhd", struct.pack(">IIIIHH", 0, 0, 16_000, 0, 0x55C4, 0))
    track = _box(
        b"trak",
        _full(b"tkhd", struct.pack(">IIIII", 0, 0, 1, 0, 0) + bytes(60))
        + _box(b"mdia", header + handler + information),
    )
    movie = _full(b"mvhd", struct.pack(">IIII", 0, 0, 1000, 1000) + bytes(80))
    path.write_bytes(
        _box(b"ftyp", b"isom\0\0\0\0isom") + _box(b"moov", movie + track) + _box(b"mdat", bytes(100))
    )


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + name + body


def _full(name: bytes, body: bytes) -> bytes:
    return _box(name, bytes(4) + body)


MAKERS: Final[Mapping[str, Callable[[Path], None]]] = MappingProxyType(
    {
        "slow.wav": slow_wav,
        "slow.flac": slow_flac,
        "fast.wav": fast_wav,
        "hole.mkv": hole,
        "hours.flac": hours_of_silence,
        "endless.wav": endless_wav,
        "crowded.mp4": crowded_mp4,
    }
)
