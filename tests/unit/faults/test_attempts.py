"""Attempts are read from a worker's log, half lines of killed processes and all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.faults import attempts


def _line(second: int, event: str, chunk: int = 0, **more: Any) -> str:
    return json.dumps(
        {
            "event": event,
            "timestamp": f"2026-01-01T00:00:{second:02}Z",
            "job_id": "job-1",
            "run": 1,
            "step": "transcribe",
            "chunk": chunk,
            **more,
        }
    )


def test_attempts_are_told_apart_by_their_ends(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    lines = [
        _line(1, "attempt_started"),
        _line(2, "chunk_transcribed"),
        '{"event": "attempt_en',
        _line(5, "attempt_started"),
        _line(6, "attempt_ended", outcome="reused"),
        _line(7, "attempt_started", chunk=1),
        _line(8, "attempt_postponed", chunk=1),
        _line(9, "attempt_started", chunk=1),
        _line(10, "chunk_transcribed", chunk=1),
        _line(11, "attempt_ended", chunk=1, outcome="completed"),
        json.dumps({"event": "attempt_started", "step": "prepare", "chunk": None}),
    ]
    log.write_text("\n".join(lines))
    found = attempts.read(log)
    assert [(each.chunk.chunk, each.end.value, each.worked) for each in found] == [
        (0, "open", True),
        (0, "reused", False),
        (1, "postponed", False),
        (1, "ended", True),
    ]
    killed, following = found[:2]
    assert killed.ended_at == following.began_at
