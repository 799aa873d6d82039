"""What identifies a clip's language, behind one protocol."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from contracts.params import LidEngine
from lid_worker import errors, models

Sound = npt.NDArray[np.float32]
"""16 kHz, one channel, between -1 and 1."""


class LanguageEngine(Protocol):
    """`identify` may be called from several threads after `load`."""

    def load(self) -> None:
        """Raises ModelUnavailableError."""

    def identify(self, sound: Sound) -> Mapping[str, float]:
        """BCP-47 to probability; what is missing is 0, and the sum at most 1."""


def create(model: models.ResolvedLidModel, *, threads: int) -> LanguageEngine:
    """The engine that runs the model; not loaded yet."""
    match model.engine:
        case LidEngine.TRANSFORMERS:
            from lid_worker.lid.transformers_engine import TransformersEngine

            return TransformersEngine(model, threads=threads)
        case LidEngine.WHISPER:
            from lid_worker.lid.whisper_engine import WhisperEngine

            return WhisperEngine(model, threads=threads)
        case LidEngine.ASSUME_ENGLISH:
            return AssumeEnglish()


class AssumeEnglish:
    """Where no model is to be had: English, and no confidence in it."""

    def load(self) -> None:
        """There is nothing to load."""

    def identify(self, sound: Sound) -> Mapping[str, float]:  # noqa: ARG002 - does not listen
        return {"en": 0.0}


def folder_of(model: models.ResolvedLidModel) -> str:
    """Where the model lies. Raises ModelUnavailableError before it was fetched."""
    if model.path is None:
        raise errors.ModelUnavailableError(f"The model {model.model} was not fetched.")
    return str(model.path)
