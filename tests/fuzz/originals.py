"""What fuzzing begins with: valid requests, events, manifests and recordings."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from contracts import events
from tests.unit.lid_worker import sounds
from tests.unit.worker_kit import builders

SUBMISSION: dict[str, Any] = {
    "workflow": "full_pipeline",
    "file_name": "meeting.mp3",
    "source_language": "en",
    "target_language": "pt-BR",
    "size_bytes": 12345,
    "priority": "normal",
    "metadata": {"case": "17", "团队": "北京"},
}

MANIFEST: dict[str, Any] = {
    name: SUBMISSION[name]
    for name in ("workflow", "source_language", "target_language", "priority", "metadata")
}


def request() -> dict[str, Any]:
    """A request to prepare."""
    document: dict[str, Any] = json.loads(builders.request().model_dump_json())
    return document


def event() -> dict[str, Any]:
    """The event of a request that failed."""
    asked = builders.request()
    finished = events.StepFinished(
        **asked.model_dump(include={"tenant_id", "job_id", "run", "step", "chunk", "attempt", "reply_to"}),
        outcome=events.Failed(code="not_audio", message="It is text.", retryable=False),
        finished_at=asked.expires_at,
    )
    document: dict[str, Any] = json.loads(finished.model_dump_json())
    return document


def recordings() -> list[bytes]:
    """Two seconds of speech in every container that people send."""
    sound = sounds.samples_of("english.flac")[:32_000]
    how = {
        "a.wav": {"codec": "pcm_s16le"},
        "a.flac": {"codec": "flac"},
        "a.mp3": {"codec": "libmp3lame"},
        "a.m4a": {"codec": "aac"},
        "a.ogg": {"codec": "libopus", "rate": 48_000},
        "a.webm": {"codec": "libopus", "rate": 48_000},
        "a.mkv": {"codec": "aac"},
        "a.mp4": {"codec": "aac", "video": True},
    }
    with tempfile.TemporaryDirectory() as folder:
        return [
            sounds.encode(Path(folder) / name, sound, **options).read_bytes()  # type: ignore[arg-type] # a table
            for name, options in how.items()
        ]
