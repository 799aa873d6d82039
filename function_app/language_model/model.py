"""What the function app asks of a language model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from contracts import results
from function_app.language_model import progress


@dataclass(frozen=True, kw_only=True)
class Digest:
    """A summary."""

    language: str
    """In which it is written."""
    text: str
    key_points: tuple[str, ...]
    warnings: tuple[str, ...] = ()


class LanguageModel(Protocol):
    """Blocking. Pieces that are done go into `done`, so that a call that is cut short is not for nothing.

    Both methods raise LanguageModelError with the code that says why, and progress.UnfinishedError when the
    time for one call is over: the next call goes on.
    """

    def translate(
        self,
        segments: Sequence[results.TranscriptSegment],
        *,
        source_language: str,
        target_language: str,
        done: progress.Progress,
        glossary: Mapping[str, str] = MappingProxyType({}),
    ) -> dict[int, str]:
        """Segment id to its translation: exactly the ids that were given. `glossary`: terms to use."""

    def summarize(self, transcript: results.Transcript, *, language: str, done: progress.Progress) -> Digest:
        """A summary in `language`, or in the transcript's own where the model cannot do otherwise."""
