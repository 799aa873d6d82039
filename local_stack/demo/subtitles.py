"""Reads subtitle files with FFmpeg's parsers, which know nothing of who wrote them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av

_FORMATS: Final = {".srt": "srt", ".vtt": "webvtt"}
"""What FFmpeg calls the format, by the file's suffix; it looks at the content alone."""


@dataclass(frozen=True, kw_only=True)
class Cue:
    """A text and when it is shown, in seconds."""

    start: float
    end: float
    text: str


def read(path: Path) -> list[Cue]:
    """The cues of an SRT or WebVTT file. Raises ValueError when it is neither."""
    try:
        with av.open(str(path)) as container:
            wanted = _FORMATS[path.suffix]
            if container.format.name != wanted:
                raise ValueError(f"{path.name} is read as {container.format.name}, not as {wanted}")
            stream = container.streams[0]
            return [_cue(packet) for packet in container.demux(stream) if packet.size]
    except av.FFmpegError as error:
        raise ValueError(f"{path.name} cannot be parsed: {error}") from error


def _cue(packet: av.Packet[Any]) -> Cue:
    if packet.pts is None or packet.duration is None:
        raise ValueError("a subtitle has no time")
    start = packet.pts * packet.time_base
    end = start + packet.duration * packet.time_base
    return Cue(start=float(start), end=float(end), text=bytes(packet).decode("utf-8"))
