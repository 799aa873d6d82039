"""Transcripts on disk: plain text, a list of segments, or a transcript.json of Speech Flow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pydantic

from client import errors
from contracts import api

_NAMES = ("start", "end", "text")

Transcript = str | tuple[api.TranscriptLine, ...]

_LINES: pydantic.TypeAdapter[tuple[api.TranscriptLine, ...]] = pydantic.TypeAdapter(
    tuple[api.TranscriptLine, ...]
)


def read(path: Path) -> Transcript:
    """A file that ends in .json as segments, every other as text. Raises FileUnreadableError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise errors.FileUnreadableError(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise errors.FileUnreadableError(path, "it is not text in UTF-8") from error
    return _lines(path, text) if path.suffix.lower() == ".json" else text


def _lines(path: Path, text: str) -> tuple[api.TranscriptLine, ...]:
    try:
        found: Any = json.loads(text)
        lines = found["segments"] if isinstance(found, dict) else found
        return _LINES.validate_python(
            [{name: one[name] for name in ("start", "end", "text")} for one in lines]
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        reason = "it has no list of segments with start, end and text"
        raise errors.FileUnreadableError(path, reason) from error
