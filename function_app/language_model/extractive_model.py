"""Summaries without a language model: the sentences that say most, by LexRank, in any language.

Erkan and Radev 2004, "LexRank: Graph-based Lexical Centrality as Salience in Text Summarization"; the
implementation is sumy's. Sentences and words are found by rules that hold for every script, so no data of
any language is needed.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence
from sumy.summarizers.lex_rank import LexRankSummarizer

from contracts import languages, params, results
from contracts.errors import ErrorCode
from function_app import errors
from function_app.language_model import model, progress

WARNING: Final = "extractive summary: no language model is configured"

MOST_SENTENCES: Final = 5
SENTENCES_PER_PICK: Final = 4
BLOCK_SENTENCES: Final = 80
"""LexRank compares each sentence with each: long recordings are ranked in blocks, and the best again."""

_SENTENCE_END: Final = re.compile(r"(?<=[.!?\u2026\u061f])\s+|(?<=[\u3002\uff01\uff1f])\s*")
_WORD: Final = re.compile(r"\w+")
_UNSPACED_SCRIPT: Final = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
)


class Tokenizer:
    """What sumy asks of a tokenizer: words, and pairs of characters where words are written together."""

    def to_words(self, sentence: str) -> tuple[str, ...]:
        """In order, with repetitions."""
        return tuple(token for word in _WORD.findall(sentence.lower()) for token in _tokens(word))


def _tokens(word: str) -> list[str]:
    if not _UNSPACED_SCRIPT.search(word) or len(word) == 1:
        return [word]
    return [word[i : i + 2] for i in range(len(word) - 1)]


class ExtractiveModel:
    """A LanguageModel that summarises and cannot translate."""

    def translate(
        self,
        segments: Sequence[results.TranscriptSegment],  # noqa: ARG002 # the protocol's
        *,
        source_language: str,  # noqa: ARG002 # the protocol's
        target_language: str,  # noqa: ARG002 # the protocol's
        done: progress.Progress,  # noqa: ARG002 # the protocol's
        glossary: Mapping[str, str] = MappingProxyType({}),  # noqa: ARG002 # the protocol's
    ) -> dict[int, str]:
        """Raises LanguageModelError, always: the run skips translation where only this model is there."""
        raise errors.LanguageModelError(
            code=ErrorCode.LANGUAGE_MODEL_REJECTED,
            message=f"The engine {params.LanguageModelEngine.EXTRACTIVE} cannot translate.",
        )

    def summarize(
        self,
        transcript: results.Transcript,
        *,
        language: str,  # noqa: ARG002 # sentences are picked, not written: they stay in their own language
        done: progress.Progress,  # noqa: ARG002 # there is nothing to keep between calls
    ) -> model.Digest:
        """The key points are the sentences that were picked, in their order; the text is all of them."""
        picked = pick(sentences(transcript))
        return model.Digest(
            language=transcript.language,
            text=languages.joiner(transcript.language).join(picked),
            key_points=tuple(picked),
            warnings=(WARNING,),
        )


def sentences(transcript: results.Transcript) -> list[str]:
    """The transcript's sentences, each once, in order."""
    found = (part.strip() for part in _SENTENCE_END.split(transcript.text))
    return list(dict.fromkeys(sentence for sentence in found if _WORD.search(sentence)))


def pick(found: Sequence[str]) -> list[str]:
    """The sentences that say most, in their order; of a short text, about one in four."""
    wanted = min(MOST_SENTENCES, -(-len(found) // SENTENCES_PER_PICK))
    while len(found) > BLOCK_SENTENCES:
        blocks = (found[i : i + BLOCK_SENTENCES] for i in range(0, len(found), BLOCK_SENTENCES))
        found = [best for block in blocks for best in _best(block, MOST_SENTENCES)]
    return _best(found, wanted)


def _best(found: Sequence[str], count: int) -> list[str]:
    if len(found) <= count:
        return list(found)
    tokenizer = Tokenizer()
    document = ObjectDocumentModel([Paragraph([Sentence(text, tokenizer) for text in found])])
    # Sentences without a word in common give zero over zero: they rank alike, and the first ones are taken.
    with np.errstate(invalid="ignore"):
        return [str(sentence) for sentence in LexRankSummarizer()(document, count)]
