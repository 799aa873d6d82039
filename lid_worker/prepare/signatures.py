"""The first bytes of media files: tell a damaged recording from a file that never was one."""

from pathlib import Path
from typing import Final

_HEAD_BYTES: Final = 16
_AT_START: Final = (
    b"RIFF",
    b"RF64",
    b"FORM",
    b"fLaC",
    b"OggS",
    b"ID3",
    b"FLV",
    b"#!AMR",
    b"caff",
    b".snd",
    b"wvpk",
    b"MAC ",
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"0&\xb2u",  # ASF
    b"\x00\x00\x01\xba",  # MPEG
    b"\xff\xfb",  # MP3
    b"\xff\xf3",
    b"\xff\xf2",
    b"\xff\xf1",  # AAC
    b"\xff\xf9",
)
_BOX_TYPES: Final = (b"ftyp", b"moov", b"mdat", b"free", b"wide")


def looks_like_media(path: Path) -> bool:
    """Whether the file begins as audio or video does; says nothing about the rest."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return head.startswith(_AT_START) or head[4:8] in _BOX_TYPES


def present_share(path: Path) -> float:
    """Which share of its announced bytes a RIFF file has; 1 for other files, and for streamed ones."""
    with path.open("rb") as file:
        head = file.read(8)
    announced = int.from_bytes(head[4:8], "little")
    if not head.startswith(b"RIFF") or announced in (0, 0xFFFFFFFF):
        return 1.0
    return max(1, path.stat().st_size - 8) / announced if announced > path.stat().st_size - 8 else 1.0
