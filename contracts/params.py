"""What a step is asked to do: one typed model per step, the model's revision pinned in it.

Everything here is part of the step's result key: equal inputs and equal params share a result.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from contracts.contract import Contract
from contracts.steps import Step


class LidEngine(StrEnum):
    """What identifies languages."""

    TRANSFORMERS = "transformers"
    """Any audio-classification checkpoint, by default facebook/mms-lid-126."""
    WHISPER = "whisper"
    """The Whisper model's own detector."""
    ASSUME_ENGLISH = "assume_english"
    """Where no model is to be had: says English with confidence 0 and a warning."""


class TranscriptionEngine(StrEnum):
    """What turns speech into text."""

    WHISPER = "whisper"
    POCKETSPHINX = "pocketsphinx"


class LanguageModelEngine(StrEnum):
    """What translates and summarises."""

    OPENAI = "openai"
    """Any OpenAI-compatible /v1 endpoint."""
    EXTRACTIVE = "extractive"
    """Offline: picks the sentences that say most."""


class PrepareParams(Contract):
    """Check, decode and cut a recording."""

    step: Literal[Step.PREPARE] = Step.PREPARE
    revision: str = "prepare-1"
    """Of the cutting rules: raised when the same recording would be cut otherwise."""
    longest_chunk_seconds: Annotated[float, Field(gt=1, le=300)] = 300.0
    longest_recording_seconds: Annotated[float, Field(gt=0)] = 24 * 3600.0
    largest_source_bytes: Annotated[int, Field(gt=0)] = 20 * 1024**3
    audio_track: Annotated[int, Field(ge=0)] = 0


class LidParams(Contract):
    """Identify the language of a recording from several places in it."""

    step: Literal[Step.LID] = Step.LID
    engine: LidEngine
    model: str
    revision: str
    most_clips: Annotated[int, Field(ge=1, le=30)] = 6
    clip_seconds: Annotated[float, Field(gt=0, le=30)] = 10.0


class TranscribeParams(Contract):
    """Turn the speech of a chunk into segments and words."""

    step: Literal[Step.TRANSCRIBE] = Step.TRANSCRIBE
    engine: TranscriptionEngine
    model: str
    revision: str
    language: str | None = None
    """BCP-47; None lets the model detect it for each window."""
    beam_size: Annotated[int, Field(ge=1, le=10)] = 5
    word_times: bool = True


class TranslateParams(Contract):
    """Translate a transcript, segment by segment."""

    step: Literal[Step.TRANSLATE] = Step.TRANSLATE
    engine: LanguageModelEngine
    model: str
    prompt_revision: str
    source_language: str
    target_language: str
    glossary: dict[str, str] = Field(default_factory=dict)
    """Words of the transcript to what they are in the target language."""


class SummarizeParams(Contract):
    """Summarise a transcript."""

    step: Literal[Step.SUMMARIZE] = Step.SUMMARIZE
    engine: LanguageModelEngine
    model: str
    prompt_revision: str
    source_language: str
    language: str
    """In which the summary is written; the extractive engine keeps the transcript's own."""


StepParams = Annotated[
    PrepareParams | LidParams | TranscribeParams | TranslateParams | SummarizeParams,
    Field(discriminator="step"),
]
