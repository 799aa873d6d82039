"""Attempts at chunks as the transcription worker's log tells them: which were begun, and which did work."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any


class End(StrEnum):
    """What became of an attempt."""

    OPEN = "open"
    """Nothing more was heard of it: its process was killed, or works on."""
    POSTPONED = "postponed"
    """Storage or queue was away."""
    REUSED = "reused"
    """The result was there already."""
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A chunk of one run."""

    job_id: str
    run: int
    chunk: int

    def __str__(self) -> str:
        return f"chunk {self.chunk} of run {self.run} of job {self.job_id}"


@dataclass(kw_only=True)
class Attempt:
    """One delivery of a chunk's message."""

    chunk: Chunk
    began_at: datetime
    transcribed: bool = False
    end: End = End.OPEN
    ended_at: datetime | None = None

    @property
    def worked(self) -> bool:
        """It used the device, or was killed on the way and may have."""
        return self.transcribed or self.end is End.OPEN

    def in_hand(self, since: datetime, until: datetime) -> bool:
        """It was open at some moment between the two."""
        return self.began_at <= until and (self.ended_at is None or self.ended_at >= since)


def read(log: Path) -> list[Attempt]:
    """Every attempt in a worker's log, in the order in which they began."""
    attempts: list[Attempt] = []
    latest: dict[Chunk, Attempt] = {}
    for entry in _entries(log.read_text("utf-8", errors="replace").splitlines()):
        chunk = Chunk(job_id=entry["job_id"], run=entry["run"], chunk=entry["chunk"])
        at = datetime.fromisoformat(entry["timestamp"]).astimezone(UTC)
        if entry["event"] == "attempt_started":
            latest[chunk] = Attempt(chunk=chunk, began_at=at)
            attempts.append(latest[chunk])
        elif chunk in latest:
            _note(latest[chunk], entry, at)
    _close_killed(attempts)
    return attempts


def _entries(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """A killed process may leave half a line."""
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("step") == "transcribe" and entry.get("chunk") is not None:
            yield entry


def _note(attempt: Attempt, entry: dict[str, Any], at: datetime) -> None:
    match entry["event"]:
        case "chunk_transcribed":
            attempt.transcribed = True
        case "attempt_postponed" | "work_abandoned":
            attempt.end, attempt.ended_at = End.POSTPONED, at
        case "attempt_ended":
            attempt.end = End.REUSED if entry.get("outcome") == "reused" else End.ENDED
            attempt.ended_at = at


def _close_killed(attempts: list[Attempt]) -> None:
    """An attempt that was followed by another of its chunk is not in hand any more from then on."""
    following: dict[Chunk, datetime] = {}
    for attempt in reversed(attempts):
        if attempt.ended_at is None:
            attempt.ended_at = following.get(attempt.chunk)
        following[attempt.chunk] = attempt.began_at
