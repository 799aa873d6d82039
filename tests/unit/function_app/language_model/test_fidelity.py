"""What a translation may have lost is found without a dictionary, and said without the transcript's words."""

from __future__ import annotations

import time

import pytest

from contracts import results
from function_app.language_model import fidelity


def segments(*texts: str) -> list[results.TranscriptSegment]:
    return [
        results.TranscriptSegment(id=i, start=i, end=i + 1, text=text, confidence=1, language="es")
        for i, text in enumerate(texts)
    ]


def warnings(
    source: list[str], found: list[str], *, language: str = "es", glossary: dict[str, str] | None = None
) -> tuple[str, ...]:
    return fidelity.warnings(
        segments(*source), dict(enumerate(found)), source_language=language, glossary=glossary or {}
    )


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("Son 1.250 euros.", "That is 1,250 euros."),
        ("Son 1 250,50 euros.", "That is 1 250.50 euros."),
        ("A las 14:30.", "At 14.30."),
        ("Hay tres o 4.", "There are three or four."),
        ("في عام ٢٠٢٦", "In the year 2026."),
        ("Habla con Marta.", "Talk to Marta."),
        ("Vive en Moscú.", "She lives in Moscow."),
        ("Marta viene.", "She is coming."),
        ("我住在北京", "I live in Beijing."),
        ("Habla con Marta.", "Позови Марту."),
        ("Sin nada.", "Without anything."),
        # Some engines write capitals only: they are no names.
        ("HABLA CON LA VECINA.", "Talk to the neighbour."),
    ],
)
def test_what_is_there_in_another_spelling_is_not_missed(source: str, found: str) -> None:
    assert warnings([source], [found]) == ()


@pytest.mark.parametrize(
    ("source", "found", "what"),
    [
        ("Son 1.250 euros.", "That is 1,520 euros.", "numbers of the transcript may be missing"),
        ("Son 1.250 euros.", "That is a lot.", "numbers of the transcript may be missing"),
        ("Habla con Marta, Ignacio viene.", "Talk to Marta.", "names of the transcript may be missing"),
    ],
)
def test_what_is_lost_is_a_warning_without_its_words(source: str, found: str, what: str) -> None:
    assert warnings(["Hola.", source], ["Hello.", found]) == (f"{what} in the translation: segments 1",)


def test_number_may_move_into_a_neighbouring_segment_and_no_further() -> None:
    source = ["Son 1.250", "euros en total", "y ya está."]
    assert warnings(source, ["That is", "1,250 euros", "and done."]) == ()
    assert len(warnings(source, ["That is", "euros", "1,250 and done."])) == 1


def test_glossary_is_checked_back_in_any_case() -> None:
    glossary = {"nave": "warehouse", "otro": "unused"}
    assert warnings(["La Nave está llena."], ["The WAREHOUSE is full."], glossary=glossary) == ()
    found = warnings(["La nave está llena."], ["The ship is full."], glossary=glossary)
    assert found == ("terms of the glossary are missing in the translation: segments 0",)


def test_german_nouns_are_no_names() -> None:
    assert warnings(["Das ist ein Haus."], ["That is a building."], language="de") == ()


def test_many_segments_are_counted_and_not_listed() -> None:
    (found,) = warnings(["Son 99 euros."] * 30, ["It costs."] * 30)
    assert found.endswith("18, 19 and 10 more")


def test_names_of_a_book_in_one_segment_are_compared_in_bounded_time() -> None:
    names = "".join(
        f" vio a Persona{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{'x' * (i // 676)}" for i in range(3000)
    )
    started = time.process_time()
    assert warnings([f"El libro{names}"], [f"The book{names.replace('Persona', 'Person')}"]) == ()
    assert time.process_time() - started < 10


def test_glossary_of_a_batch_is_what_its_segments_have_words_of() -> None:
    assert fidelity.terms_in(segments("La Nave."), {"nave": "warehouse", "otro": "x"}) == {
        "nave": "warehouse"
    }
