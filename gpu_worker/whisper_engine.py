"""Whisper through CTranslate2: a batch of windows is encoded once, and all else is asked of that."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import structlog

from contracts import languages
from gpu_worker import (
    errors,
    memory,
    models,
    whisper_answers,
    whisper_decoding,
    whisper_tokens,
    whisper_words,
)
from gpu_worker.engines import (
    SAMPLE_RATE,
    Clip,
    ClipText,
    Hardware,
    Options,
    SpokenWord,
)
from gpu_worker.whisper_decoding import TEMPERATURES, Answer

log = structlog.get_logger()

_BATCH_WINDOWS: Final = {"cuda": 16, "cpu": 8}
_WARM_UP_SECONDS: Final = 1.0
_OTHER_NAMES: Final = {"jv": "jw", "fil": "tl"}
"""Whisper's vocabulary has these languages under codes that BCP-47 has given up."""
_NEAREST: Final = {"yue": "zh"}
"""What a model that lacks the first is asked for instead: Whisper has Cantonese since large-v3 only."""


@dataclass(frozen=True, kw_only=True)
class _Window:
    """A clip on its way through the batch."""

    features: Any
    seconds: float
    language: str
    """Whisper's code."""
    tag: str
    """The same in BCP-47, as the clip's caller named it."""


class WhisperEngine:
    """A Whisper directory of CTranslate2."""

    def __init__(self, model: models.ResolvedModel, hardware: Hardware) -> None:
        self._resolved = model
        self._hardware = hardware
        self._model: Any = None
        self._device = "cpu"
        self._tokenizers: dict[str, Any] = {}

    @property
    def model(self) -> models.ResolvedModel:
        return self._resolved

    @property
    def uses_gpu(self) -> bool:
        return self._device == "cuda"

    @property
    def batch_windows(self) -> int:
        return self._hardware.batch_windows or _BATCH_WINDOWS[self._device]

    def load(self) -> None:
        from faster_whisper import WhisperModel

        self._resolved = models.fetch(self._resolved)
        self._device, compute_type = choose_hardware(self._hardware)
        if self._device == "cpu":
            memory.keep_freed_memory()
        try:
            self._model = WhisperModel(
                str(self._resolved.path),
                device=self._device,
                compute_type=compute_type,
                cpu_threads=self._hardware.cpu_threads,
            )
        except (RuntimeError, ValueError) as error:
            raise errors.ModelError(f"The model {self._resolved.model} cannot be loaded: {error}") from error
        log.info(
            "model_loaded",
            model=self._resolved.model,
            revision=self._resolved.revision,
            device=self._device,
            compute_type=compute_type,
        )

    def warm_up(self) -> None:
        noise = np.random.default_rng(0).standard_normal(int(_WARM_UP_SECONDS * SAMPLE_RATE))
        clip = Clip(samples=(noise * 0.01).astype(np.float32), language="en")
        self.transcribe([clip], Options(beam_size=1))

    def warnings_for(self, language: str | None) -> tuple[str, ...]:
        if language is None:
            return ()
        code, known = languages.whisper_code(language), self._known_code(language)
        if known != _NEAREST.get(code):
            return ()
        return (f"The model {self._resolved.model} has no {code}; it was asked for {known} instead.",)

    def transcribe(self, clips: Sequence[Clip], options: Options) -> list[ClipText]:
        with _engine_errors(self._resolved.model):
            features = [self._features(clip) for clip in clips]
            encoded = self._encode(features)
            windows = self._with_languages(clips, features, encoded)
            answers = self._answers(windows, encoded, options)
            segments = [
                self._segments(answer, window) for answer, window in zip(answers, windows, strict=True)
            ]
            words = self._words(windows, segments, encoded) if options.word_times else [[] for _ in windows]
            return [
                whisper_answers.clip_text(
                    window.tag, answers[row], segments[row], words[row], decode=self._tokenizer("en").decode
                )
                for row, window in enumerate(windows)
            ]

    def close(self) -> None:
        self._model = None

    def _features(self, clip: Clip) -> Any:
        """Log-mel of the clip, padded with zeros to the 30 s that the encoder expects."""
        from faster_whisper.audio import pad_or_trim

        return pad_or_trim(self._model.feature_extractor(clip.samples)[..., :-1])

    def _encode(self, features: Sequence[Any]) -> Any:
        return self._model.encode(np.stack(features))

    def _with_languages(self, clips: Sequence[Clip], features: Sequence[Any], encoded: Any) -> list[_Window]:
        """The clips' languages as asked for; detected where they were not, from the same encoder output."""
        detected: list[str] = []
        if any(clip.language is None for clip in clips):
            detected = self._detect(encoded)
        windows = []
        for row, clip in enumerate(clips):
            tag = clip.language or detected[row]
            windows.append(
                _Window(
                    features=features[row],
                    seconds=clip.seconds,
                    language=self._known_code(tag),
                    tag=tag,
                )
            )
        return windows

    def _detect(self, encoded: Any) -> list[str]:
        if not self._model.model.is_multilingual:
            return ["en"] * encoded.shape[0]
        best = [row[0][0] for row in self._model.model.detect_language(encoded)]
        return [languages.parse(token.removeprefix("<|").removesuffix("|>")) for token in best]

    def _known_code(self, language: str) -> str:
        """Whisper's code for the language in this model. Raises LanguageUnsupportedError."""
        code = languages.whisper_code(language)
        for candidate in (code, _OTHER_NAMES.get(code), _NEAREST.get(code)):
            if candidate is not None and self._knows(candidate):
                return candidate
        raise errors.LanguageUnsupportedError(language=language, model=self._resolved.model)

    def _knows(self, code: str) -> bool:
        if not self._model.model.is_multilingual:
            return code == "en"
        return self._model.hf_tokenizer.token_to_id(f"<|{code}|>") is not None

    def _tokenizer(self, language: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer

        if language not in self._tokenizers:
            multilingual = self._model.model.is_multilingual
            self._tokenizers[language] = Tokenizer(
                self._model.hf_tokenizer, multilingual, task="transcribe", language=language
            )
        return self._tokenizers[language]

    def _answers(self, windows: Sequence[_Window], encoded: Any, options: Options) -> list[Answer]:
        """The decoder's answers; those that cannot be believed are asked again at higher temperatures.

        The answers at temperature 0 are the same every time. The others are drawn, and CTranslate2 offers
        no way to draw them again: its seed is read once per thread. The first result that is stored counts.
        """
        answers = self._decode(windows, encoded, options.beam_size, TEMPERATURES[0])
        for temperature in TEMPERATURES[1:]:
            failing = [row for row, answer in enumerate(answers) if not answer.is_believable]
            if not failing:
                break
            # Encoded anew: an encoder output cannot be sliced on every device.
            again = [windows[row] for row in failing]
            encoded_again = self._encode([window.features for window in again])
            for row, answer in zip(
                failing, self._decode(again, encoded_again, options.beam_size, temperature), strict=True
            ):
                answers[row] = answer
        return answers

    def _decode(
        self, windows: Sequence[_Window], encoded: Any, beam_size: int, temperature: float
    ) -> list[Answer]:
        from faster_whisper.transcribe import get_suppressed_tokens

        tokenizer = self._tokenizer(windows[0].language)
        return whisper_decoding.decode(
            self._model,
            tokenizer,
            encoded,
            [self._tokenizer(window.language).sot_sequence for window in windows],
            beam_size=beam_size,
            temperature=temperature,
            suppressed=get_suppressed_tokens(tokenizer, [-1]),
        )

    def _segments(self, answer: Answer, window: _Window) -> list[whisper_tokens.TokenSegment]:
        if not answer.text or answer.is_silence:
            return []
        tokenizer = self._tokenizer(window.language)
        return whisper_tokens.segments_of(
            answer.tokens,
            end_of_text=tokenizer.eot,
            first_timestamp=tokenizer.timestamp_begin,
            seconds=window.seconds,
        )

    def _words(
        self,
        windows: Sequence[_Window],
        segments: Sequence[Sequence[whisper_tokens.TokenSegment]],
        encoded: Any,
    ) -> list[list[tuple[SpokenWord, ...]]]:
        """Words of every window's segments. CTranslate2 aligns one language at a time."""
        found: list[list[tuple[SpokenWord, ...]]] = [[] for _ in windows]
        codes = sorted({window.language for window in windows})
        for code in codes:
            rows = [row for row, window in enumerate(windows) if window.language == code]
            of_code = encoded if len(codes) == 1 else self._encode([windows[row].features for row in rows])
            aligned = whisper_words.align(
                self._model,
                self._tokenizer(code),
                of_code,
                [segments[row] for row in rows],
                [windows[row].seconds for row in rows],
            )
            for row, words in zip(rows, aligned, strict=True):
                found[row] = words
        return found


def choose_hardware(hardware: Hardware) -> tuple[str, str]:
    """Device and compute type: CTranslate2 refuses float16 on a CPU, and int8 wastes most GPUs."""
    import ctranslate2

    device = hardware.device
    if device == "auto":
        device = "cuda" if models.gpu_present() else "cpu"
    if hardware.compute_type != "auto":
        return device, hardware.compute_type
    if device == "cpu":
        return device, "int8"
    supported = ctranslate2.get_supported_compute_types(device)
    return device, "float16" if "float16" in supported else "auto"


@contextmanager
def _engine_errors(model: str) -> Iterator[None]:
    """CTranslate2 says everything with RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        log.exception("engine_failed", model=model)
        if "out of memory" in str(error).lower():
            raise errors.EngineMemoryError(model) from error
        raise errors.EngineFailedError(model) from error
