"""What an engine is asked and what it answers; which one a model needs.

Times are seconds from the start of the clip. An engine judges each clip by itself: its neighbours in a batch
change nothing but rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.params import TranscriptionEngine
from gpu_worker.models import ResolvedModel

SAMPLE_RATE: Final = 16_000

Samples = NDArray[np.float32]
"""One channel at 16 kHz, in [-1, 1]."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to transcribe; equal for all clips of a batch."""

    beam_size: int = 5
    word_times: bool = True


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Sound to transcribe at once, no longer than the model's longest window."""

    samples: Samples
    language: str | None = None
    """BCP-47; None: the engine finds out."""

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True, kw_only=True)
class SpokenWord:
    """A word without the space around it; punctuation clings to it."""

    start: float
    end: float
    text: str
    confidence: float


@dataclass(frozen=True, kw_only=True)
class SpokenSegment:
    """A stretch of text as the engine cut it."""

    start: float
    end: float
    text: str
    confidence: float
    words: tuple[SpokenWord, ...] = ()


class Verdict(StrEnum):
    """What became of a clip."""

    TEXT = "text"
    NO_TEXT = "no_text"
    REJECTED = "rejected"
    """There was text, and it was not believed."""


@dataclass(frozen=True, kw_only=True)
class ClipText:
    """What the engine made of a clip; segments are there for the verdict `text` alone, in order."""

    language: str
    """BCP-47."""
    verdict: Verdict
    segments: tuple[SpokenSegment, ...] = ()
    detail: str = ""
    """Why the verdict is what it is, for people."""


class Engine(Protocol):
    """Thinks. Not thread-safe: one call at a time."""

    @property
    def model(self) -> ResolvedModel:
        """What it runs."""

    @property
    def uses_gpu(self) -> bool:
        """Whether its time counts as GPU time. Known after `load`."""

    @property
    def batch_windows(self) -> int:
        """How many clips it takes at once for the best speed. Known after `load`."""

    def load(self) -> None:
        """Once, before anything else. Raises ModelError."""

    def warm_up(self) -> None:
        """One small piece of real work, so that the first request is not the slow one."""

    def warnings_for(self, language: str | None, /) -> tuple[str, ...]:
        """What results in this language must say. Raises LanguageUnsupportedError."""

    def transcribe(self, clips: Sequence[Clip], options: Options, /) -> list[ClipText]:
        """One answer for each clip. Raises EngineFailedError, EngineMemoryError, LanguageUnsupportedError."""

    def close(self) -> None:
        """Frees the model."""


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """Where an engine runs."""

    device: str = "auto"
    """cpu, cuda, or auto: cuda where there is one."""
    compute_type: str = "auto"
    """Of CTranslate2; auto: float16 on cuda, int8 on a CPU."""
    cpu_threads: int = 0
    """0: as many as the engine likes."""
    batch_windows: int = 0
    """0: what suits the device."""


def create(model: ResolvedModel, hardware: Hardware) -> Engine:
    """The engine for the model, not loaded yet."""
    match model.engine:
        case TranscriptionEngine.WHISPER:
            from gpu_worker.whisper_engine import WhisperEngine

            return WhisperEngine(model, hardware)
        case TranscriptionEngine.POCKETSPHINX:
            from gpu_worker.pocketsphinx_engine import PocketsphinxEngine

            return PocketsphinxEngine(model)
