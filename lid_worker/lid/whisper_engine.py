"""Whisper's own language detector, through faster-whisper."""

from collections.abc import Mapping
from typing import Any

from contracts import languages
from lid_worker import models
from lid_worker.lid.engines import Sound, folder_of


class WhisperEngine:
    """On the CPU: one window of a clip is little work."""

    def __init__(self, model: models.ResolvedLidModel, *, threads: int) -> None:
        self._resolved = model
        self._threads = threads
        self._model: Any = None

    def load(self) -> None:
        from faster_whisper import WhisperModel

        folder = folder_of(models.fetch(self._resolved))
        self._model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=self._threads)

    def identify(self, sound: Sound) -> Mapping[str, float]:
        _, _, probabilities = self._model.detect_language(sound)
        sums: dict[str, float] = {}
        for code, probability in probabilities:
            language = _parsed(code)
            if language is not None:
                sums[language] = sums.get(language, 0.0) + float(probability)
        return sums


def _parsed(code: str) -> str | None:
    try:
        return languages.parse(code)
    except languages.UnknownLanguageError:
        return None
