"""Texts beyond the window of the model: many segments, very long ones, in any script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from contracts import results
from contracts.errors import ErrorCode
from function_app import errors
from function_app.language_model import chat, openai_model, progress
from tests.fakes import language_model_server as fake
from tests.fakes.language_model_server import Behaviour

from .test_openai_model import progress_of, segments, transcript, translate


@pytest.fixture
def server() -> Iterator[fake.Server]:
    with fake.serve() as served:
        yield served


@pytest.fixture
def model(server: fake.Server) -> Iterator[openai_model.OpenAIModel]:
    with openai.OpenAI(base_url=server.base_url, api_key="key", timeout=60, max_retries=0) as client:
        yield openai_model.OpenAIModel(endpoint=chat.Chat(client=client, model="m"))


def data_of(call: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(call["messages"][1]["content"].split("\n")[1])
    return found


def answered(server: fake.Server) -> list[dict[str, Any]]:
    """The data of the calls that fitted."""
    window = server.window_characters or 10**9
    return [data_of(call) for call in server.calls if len(call["messages"][1]["content"]) <= window]


@pytest.mark.parametrize(
    ("unit", "source", "target"),
    [("Una frase larga. ", "es", "en"), ("palabra ", "es", "en"), ("字", "zh", "en"), ("ที่นี่", "th", "zh")],
    ids=["sentences", "words", "chinese", "thai"],
)
def test_very_long_segment_is_translated_in_fragments_under_its_id(
    server: fake.Server, model: openai_model.OpenAIModel, unit: str, source: str, target: str
) -> None:
    long = unit * (20_000 // len(unit))
    found = model.translate(
        segments("Antes.", long, "Después."),
        source_language=source,
        target_language=target,
        done=progress_of(),
    )
    assert list(found) == [0, 1, 2]
    words = found[1].replace(f"[{target}] ", "")
    assert "".join(words.split()) == "".join(long.split())
    assert (found[0], found[2]) == (f"[{target}] Antes.", f"[{target}] Después.")
    for data in answered(server):
        assert sum(len(one["text"]) for one in data["segments"]) <= openai_model.BATCH_CHARACTERS
        assert len({one["id"] for one in data["segments"]}) == len(data["segments"])
        assert all(len(text) <= openai_model.CONTEXT_CHARACTERS for text in data["context_before"])


def test_batches_shrink_until_they_fit_the_models_window(
    server: fake.Server, model: openai_model.OpenAIModel
) -> None:
    server.window_characters = 900
    texts = [f"Frase número {i} con algunas palabras más." for i in range(120)]
    texts.append(" ".join(f"palabra{i}" for i in range(100)))
    found = translate(model, *texts)
    assert found[119] == f"[en] {texts[119]}"
    assert found[120].replace("[en] ", "").split() == texts[120].split()
    assert len(answered(server)) < len(server.calls)


@pytest.mark.parametrize("characters", [1200, 5000])
def test_summary_of_a_text_beyond_the_window_is_made_of_smaller_parts(
    server: fake.Server, model: openai_model.OpenAIModel, characters: int
) -> None:
    server.window_characters = characters
    words = [f"palabra{i}" for i in range(3000)]
    texts = [" ".join(words), *(f"Punto {i} de la reunión." for i in range(400))]
    digest = model.summarize(transcript(*texts), language="en", done=progress_of())
    assert digest.text.startswith("palabra")
    # Every word has been in a question that was answered.
    sent = " ".join(data["text"] for data in answered(server))
    assert all(f"Punto {i} de" in sent for i in range(400))
    assert set(words) <= set(sent.split())


def test_summary_that_no_halving_helps_is_final(server: fake.Server, model: openai_model.OpenAIModel) -> None:
    server.window_characters = 100
    with pytest.raises(errors.LanguageModelError) as caught:
        model.summarize(transcript("palabra " * 3000), language="en", done=progress_of())
    assert caught.value.code == ErrorCode.LANGUAGE_MODEL_TRUNCATED


def test_halves_that_are_done_survive_a_rate_limit(
    server: fake.Server, model: openai_model.OpenAIModel
) -> None:
    kept = progress.MemoryPieceStore()
    texts = [f"Frase número {i}." for i in range(4)]
    server.script.extend([Behaviour.TRUNCATED, Behaviour.OK, Behaviour.RATE_LIMITED])
    with pytest.raises(errors.LanguageModelError):
        translate(model, *texts, done=progress_of(kept))
    assert len(translate(model, *texts, done=progress_of(kept))) == 4
    # The whole once, each half once, and the half that was refused again.
    assert len(server.calls) == 4


@pytest.mark.parametrize("blank", ["", "   ", "\n"])
def test_segment_without_words_is_not_sent_and_stays_empty(
    server: fake.Server, model: openai_model.OpenAIModel, blank: str
) -> None:
    assert translate(model, "Hola.", blank, "Adiós.") == {0: "[en] Hola.", 1: "", 2: "[en] Adiós."}
    (call,) = server.calls
    assert [one["id"] for one in data_of(call)["segments"]] == [0, 2]


@pytest.mark.parametrize("texts", [(), ("",)])
def test_nothing_to_translate_is_no_call(
    server: fake.Server, model: openai_model.OpenAIModel, texts: tuple[str, ...]
) -> None:
    assert translate(model, *texts) == dict.fromkeys(range(len(texts)), "")
    assert server.calls == []


def test_segment_ids_need_not_begin_at_zero_nor_have_no_gaps(
    server: fake.Server, model: openai_model.OpenAIModel
) -> None:
    del server
    chosen: list[results.TranscriptSegment] = [segments("Uno.", "Dos.", "Tres.")[i] for i in (2, 0)]
    found = model.translate(chosen, source_language="es", target_language="en", done=progress_of())
    assert found == {2: "[en] Tres.", 0: "[en] Uno."}
