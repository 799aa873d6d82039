"""Audio-classification checkpoints, such as MMS-LID, through transformers."""

import threading
from collections.abc import Mapping
from typing import Any

import structlog

from contracts import languages
from lid_worker import models
from lid_worker.lid.engines import Sound, folder_of
from lid_worker.prepare.sound import SAMPLE_RATE_HZ

log = structlog.get_logger()


class TransformersEngine:
    """Labels are ISO 639-3, as MMS has them, or any code that BCP-47 knows; others are never the answer."""

    def __init__(self, model: models.ResolvedLidModel, *, threads: int) -> None:
        self._resolved = model
        self._threads = threads
        self._model: Any = None
        self._extractor: Any = None
        self._codes: tuple[str | None, ...] = ()
        self._one_at_a_time = threading.Lock()

    def load(self) -> None:
        import torch
        from transformers import AutoFeatureExtractor, AutoModelForAudioClassification
        from transformers.utils import logging as transformers_logging

        quiet: Any = transformers_logging
        quiet.disable_progress_bar()  # the log is JSON lines
        torch.set_num_threads(self._threads)
        folder = folder_of(models.fetch(self._resolved))
        extractors: Any = AutoFeatureExtractor  # published without complete types
        self._extractor = extractors.from_pretrained(folder, local_files_only=True)
        model = AutoModelForAudioClassification.from_pretrained(folder, local_files_only=True)
        self._model = model.eval()
        labels = self._model.config.id2label
        self._codes = tuple(_code(str(labels[index])) for index in range(len(labels)))

    def identify(self, sound: Sound) -> Mapping[str, float]:
        import torch

        features = self._extractor(sound, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")
        # One at a time: two would share the same few threads and double the memory of the activations.
        with self._one_at_a_time, torch.inference_mode():
            logits = self._model(**features).logits[0]
        probabilities = torch.softmax(logits.float(), dim=-1).tolist()
        return _by_code(self._codes, probabilities)


def _code(label: str) -> str | None:
    try:
        return languages.parse(label)
    except languages.UnknownLanguageError:
        log.warning("language_label_unknown", label=label)
        return None


def _by_code(codes: tuple[str | None, ...], probabilities: list[float]) -> dict[str, float]:
    """Labels of one language, such as two of its dialects, add up."""
    sums: dict[str, float] = {}
    for code, probability in zip(codes, probabilities, strict=True):
        if code is not None:
            sums[code] = sums.get(code, 0.0) + probability
    return sums
