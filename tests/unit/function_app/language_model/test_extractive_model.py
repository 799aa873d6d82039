"""Summaries without a language model: real sentences, in order, in any language."""

from __future__ import annotations

import time

import pytest

from contracts import results
from contracts.errors import ErrorCode
from function_app import errors
from function_app.language_model import extractive_model, model, progress

ENGLISH = (
    "Good morning everybody. We meet today because of the new warehouse. The new warehouse opens in May. "
    "The lights are on. The parcels will be sorted in the new warehouse from May. Coffee is over there. "
    "Who drives the parcels to the new warehouse? Anna drives the parcels on Monday. Thank you all."
)
MANDARIN = (
    "大家早上好。今天我们讨论新仓库的计划。新仓库五月开始使用。天气很好。包裹将在新仓库分拣。"
    "咖啡在那边。谁把包裹送到新仓库?安娜星期一送包裹。谢谢大家。"
)


def transcript(text: str, language: str = "en") -> results.Transcript:
    return results.Transcript(
        language=language,
        duration_seconds=1,
        text=text,
        segments=(),
        coverage=results.Coverage(speech_seconds=1, transcribed_seconds=1, gap_seconds=0),
        engine="whisper",
        model="tiny",
        revision="1",
    )


def summarize(text: str, language: str = "en") -> model.Digest:
    done = progress.Progress(store=progress.MemoryPieceStore(), seconds=60)
    return extractive_model.ExtractiveModel().summarize(transcript(text, language), language="en", done=done)


def digest_of(text: str, language: str = "en") -> tuple[str, tuple[str, ...]]:
    digest = summarize(text, language)
    return digest.text, digest.key_points


@pytest.mark.parametrize(
    ("text", "language", "subject"), [(ENGLISH, "en", "warehouse"), (MANDARIN, "zh", "仓库")]
)
def test_sentences_about_the_subject_are_picked_in_their_order(
    text: str, language: str, subject: str
) -> None:
    _, picked = digest_of(text, language)
    assert 2 <= len(picked) <= 5
    positions = [text.index(sentence) for sentence in picked]
    assert positions == sorted(positions)
    assert any(subject in sentence for sentence in picked)


def test_text_is_the_key_points_joined_as_the_language_is_written() -> None:
    text, picked = digest_of(ENGLISH)
    assert text == " ".join(picked)
    text, picked = digest_of(MANDARIN, "zh")
    assert text == "".join(picked)


def test_summary_says_that_it_is_extractive_and_keeps_its_language() -> None:
    digest = summarize("Hola a todos.", "es")
    assert digest.language == "es"
    assert digest.warnings == (extractive_model.WARNING,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Yes.",
        "Hello. Hello. Hello. Hello. Hello. Hello.",
        # No two sentences have a word in common.
        "One. Two. Three. Four. Five. Six.",
        # Punctuation alone is no sentence.
        "... !!! ???",
        "ไม่มีปัญหา " * 50,
    ],
)
def test_odd_texts_are_no_problem(text: str) -> None:
    summary, picked = digest_of(text)
    assert len(picked) <= 5
    assert all(sentence in text for sentence in picked)
    assert bool(summary) == bool(picked)


def test_day_of_speech_is_summarised_in_seconds() -> None:
    text = " ".join(f"Item {i} of the agenda is about point {i % 97} and the budget." for i in range(1500))
    started = time.monotonic()
    _, picked = digest_of(text)
    assert len(picked) == 5
    assert time.monotonic() - started < 30


def test_unspaced_words_are_compared_by_pairs_of_characters() -> None:
    tokens = extractive_model.Tokenizer().to_words("新仓库 opens 五")
    assert tokens == ("新仓", "仓库", "opens", "五")


def test_translation_is_refused_in_words() -> None:
    done = progress.Progress(store=progress.MemoryPieceStore(), seconds=1)
    with pytest.raises(errors.LanguageModelError) as caught:
        extractive_model.ExtractiveModel().translate(
            (), source_language="es", target_language="en", done=done
        )
    assert caught.value.code == ErrorCode.LANGUAGE_MODEL_REJECTED
