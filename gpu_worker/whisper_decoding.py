"""One pass of the decoder over a batch, and what is thought of its answers."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

NO_SPEECH_PROBABILITY: Final = 0.6
LOWEST_LOG_PROBABILITY: Final = -1.0
HIGHEST_COMPRESSION: Final = 2.4
"""Text that packs better than this repeats itself. These three are OpenAI Whisper's own thresholds."""

TEMPERATURES: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Tried in this order as long as the answer is not believable (OpenAI Whisper's own steps)."""

_CANDIDATES: Final = 5
_MAX_LENGTH: Final = 448


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the decoder wrote for one window."""

    tokens: tuple[int, ...]
    text: str
    mean_log_probability: float
    no_speech_probability: float

    @property
    def compression(self) -> float:
        """How many times smaller zlib makes the text; grows with repetition."""
        data = self.text.encode()
        return len(data) / len(zlib.compress(data))

    @property
    def is_silence(self) -> bool:
        """The model thinks that nobody speaks, and is not sure of what it wrote."""
        return (
            self.no_speech_probability > NO_SPEECH_PROBABILITY
            and self.mean_log_probability < LOWEST_LOG_PROBABILITY
        )

    @property
    def is_believable(self) -> bool:
        """Neither repetitive nor improbable; silence needs no second try."""
        fine = self.compression <= HIGHEST_COMPRESSION and self.mean_log_probability >= LOWEST_LOG_PROBABILITY
        return fine or self.is_silence

    @property
    def confidence(self) -> float:
        """Of the text as a whole, when there are no words to ask."""
        return min(1.0, math.exp(min(0.0, self.mean_log_probability)))


def decode(
    model: Any,
    tokenizer: Any,
    encoded: Any,
    prompts: Sequence[list[int]],
    *,
    beam_size: int,
    temperature: float,
    suppressed: Sequence[int],
) -> list[Answer]:
    """One answer for each prompt. All prompts must be of one length: CTranslate2 4 demands it."""
    searching = (
        {"beam_size": beam_size, "sampling_temperature": 0.0}
        if temperature == 0
        else {
            "beam_size": 1,
            "num_hypotheses": _CANDIDATES,
            "sampling_topk": 0,
            "sampling_temperature": temperature,
        }
    )
    results = model.model.generate(
        encoded,
        list(prompts),
        max_length=_MAX_LENGTH,
        return_scores=True,
        return_no_speech_prob=True,
        suppress_tokens=list(suppressed),
        **searching,
    )
    return [_answer(result, tokenizer) for result in results]


def _answer(result: Any, tokenizer: Any) -> Answer:
    tokens = result.sequences_ids[0]
    # CTranslate2's score is the mean without <|endoftext|>; Whisper's thresholds are for the mean with it.
    mean = result.scores[0] * len(tokens) / (len(tokens) + 1)
    return Answer(
        tokens=tuple(tokens),
        text=tokenizer.decode(tokens).strip(),
        mean_log_probability=float(mean),
        no_speech_probability=float(result.no_speech_prob),
    )
