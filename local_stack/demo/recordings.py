"""The recordings of the demo, and what must come out of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contracts import errors, jobs

REPOSITORY: Final = Path(__file__).resolve().parents[2]
FIXTURES: Final = REPOSITORY / "tests" / "fixtures"
SAMPLES: Final = FIXTURES / "samples"
MAKE_MEDIA: Final = FIXTURES / "build" / "make_media.py"
MAKE_LIMIT_SECONDS: Final = 120

LANGUAGE_SAMPLES: Final = ("english.flac", "spanish.flac", "mandarin.flac", "cantonese.flac")
LONG_WORD_ERROR_RATE: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class KnownWord:
    """A word as it was spoken; seconds from the start of the recording."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A file, and how its job must end."""

    path: Path
    title: str
    status: jobs.JobStatus = jobs.JobStatus.COMPLETED
    language: str | None = None
    text: str = ""
    words: tuple[KnownWord, ...] = ()
    most_word_error_rate: float = 0.0
    """0: the text must come out exactly."""
    error_codes: frozenset[errors.ErrorCode] = frozenset()
    """One of these, where the job must fail."""


def sample(name: str) -> Recording:
    """A sample whose text comes out exactly. Raises KeyError, or ValueError for a hard one."""
    entries = {entry["file"]: entry for entry in json.loads((SAMPLES / "samples.json").read_text("utf-8"))}
    entry = entries[name]
    if not entry["transcribed"]["whisper_model"]["exact"]:
        raise ValueError(f"{name} does not come out exactly")
    return _known(SAMPLES / name, entry, title=f"{entry['language']}, {entry['note']}")


def all_of(folder: Path) -> list[Recording]:
    """The demo's recordings; those that are not in the repository are made in `folder`."""
    make_media(folder, "video", "long", "truncated-m4a")
    video = _made(folder, "video.mp4", title="a video")
    long = _made(folder, "long-english.flac", title="ten minutes", most_word_error_rate=LONG_WORD_ERROR_RATE)
    return [*(sample(name) for name in LANGUAGE_SAMPLES), video, long, corrupt(folder)]


def corrupt(folder: Path) -> Recording:
    """A file that was cut off on its way; `make_media(folder, "truncated-m4a")` makes it."""
    return Recording(
        path=folder / "truncated.m4a",
        title="a damaged file",
        status=jobs.JobStatus.FAILED,
        error_codes=frozenset({errors.ErrorCode.CORRUPT_AUDIO, errors.ErrorCode.NOT_AUDIO}),
    )


def video(folder: Path) -> Recording:
    """English under a moving picture; `make_media(folder, "video")` makes it."""
    return _made(folder, "video.mp4", title="a video")


def long_english(folder: Path) -> Recording:
    """The long recording; `make_media(folder, "long")` makes it."""
    return _made(
        folder, "long-english.flac", title="many sentences", most_word_error_rate=LONG_WORD_ERROR_RATE
    )


def make_media(folder: Path, *names: str, options: Sequence[str] = ()) -> None:
    """Makes files from the samples, always the same ones. Raises CalledProcessError, TimeoutExpired."""
    subprocess.run(  # noqa: S603 (our own script)
        [sys.executable, str(MAKE_MEDIA), str(folder), *options, "--only", *names],
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=MAKE_LIMIT_SECONDS,
    )


def _made(folder: Path, name: str, *, title: str, most_word_error_rate: float = 0.0) -> Recording:
    facts = json.loads((folder / "media.json").read_text("utf-8"))[name]
    reference = json.loads((folder / facts["reference"]).read_text("utf-8"))
    return _known(folder / name, reference, title=title, most_word_error_rate=most_word_error_rate)


def _known(
    path: Path, reference: Mapping[str, Any], *, title: str, most_word_error_rate: float = 0.0
) -> Recording:
    return Recording(
        path=path,
        title=title,
        language=reference["language"],
        text=reference["text"],
        words=tuple(
            KnownWord(text=word["text"], start=word["start"], end=word["end"]) for word in reference["words"]
        ),
        most_word_error_rate=most_word_error_rate,
    )
