"""Pocketsphinx: English, rough, and always to be had, because its model is in its package."""

import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import structlog

from contracts import languages
from gpu_worker import errors, models
from gpu_worker.engines import SAMPLE_RATE, Clip, ClipText, Options, SpokenSegment, SpokenWord, Verdict

log = structlog.get_logger()

_FRAMES_PER_SECOND: Final = 100
_NOT_A_WORD: Final = re.compile(r"[<\[+].*")
"""Fillers: <s>, </s>, <sil>, [NOISE], ++BREATH++."""
_PRONUNCIATION: Final = re.compile(r"\(\d+\)$")
"""`the(2)` is `the`, pronounced the second way."""


class PocketsphinxEngine:
    """Clips one after the other on one core."""

    def __init__(self, model: models.ResolvedModel) -> None:
        self._resolved = model
        self._decoder: Any = None

    @property
    def model(self) -> models.ResolvedModel:
        return self._resolved

    @property
    def uses_gpu(self) -> bool:
        return False

    @property
    def batch_windows(self) -> int:
        return 1

    def load(self) -> None:
        from pocketsphinx import Decoder

        self._decoder = Decoder(samprate=SAMPLE_RATE, loglevel="FATAL")
        log.info("model_loaded", model=self._resolved.model, revision=self._resolved.revision, device="cpu")

    def warm_up(self) -> None:
        self.transcribe([Clip(samples=np.zeros(SAMPLE_RATE, np.float32), language="en")], Options())

    def warnings_for(self, language: str | None) -> tuple[str, ...]:
        if language is None:
            return ("pocketsphinx cannot identify languages; English was assumed.",)
        if languages.base(language) != "en":
            raise errors.LanguageUnsupportedError(language=language, model=self._resolved.model)
        return ()

    def transcribe(self, clips: Sequence[Clip], options: Options) -> list[ClipText]:
        return [self._transcribe(clip, options) for clip in clips]

    def close(self) -> None:
        self._decoder = None

    def _transcribe(self, clip: Clip, options: Options) -> ClipText:
        language = clip.language or "en"
        try:
            words = self._words(clip)
        except RuntimeError as error:
            raise errors.EngineFailedError(self._resolved.model) from error
        if not words:
            return ClipText(language=language, verdict=Verdict.NO_TEXT)
        segment = SpokenSegment(
            start=words[0].start,
            end=words[-1].end,
            text=" ".join(word.text for word in words),
            confidence=sum(word.confidence for word in words) / len(words),
            words=words if options.word_times else (),
        )
        return ClipText(language=language, verdict=Verdict.TEXT, segments=(segment,))

    def _words(self, clip: Clip) -> tuple[SpokenWord, ...]:
        sound = (np.clip(clip.samples, -1, 1) * 32767).astype(np.int16)
        self._decoder.start_utt()
        self._decoder.process_raw(sound.tobytes(), full_utt=True)
        self._decoder.end_utt()
        if self._decoder.hyp() is None:
            return ()
        return tuple(
            SpokenWord(
                start=min(entry.start_frame / _FRAMES_PER_SECOND, clip.seconds),
                end=min((entry.end_frame + 1) / _FRAMES_PER_SECOND, clip.seconds),
                text=_PRONUNCIATION.sub("", entry.word),
                confidence=min(1.0, max(0.0, float(entry.prob))),
            )
            for entry in self._decoder.seg()
            if not _NOT_A_WORD.fullmatch(entry.word)
        )
