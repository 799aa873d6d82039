"""Texts are cut where it hurts least, and nothing of them is lost."""

from __future__ import annotations

import pytest

from function_app.language_model import cutting


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("   ", []),
        ("Short.", ["Short."]),
        # After a sentence where there is one.
        ("One two. Three four.", ["One two.", "Three four."]),
        ("大家早上好。今天我们讨论。", ["大家早上好。", "今天我们讨论。"]),
        # Else between words.
        ("one two three four", ["one two", "three four"]),
        # Else anywhere.
        ("a" * 25, ["a" * 12, "a" * 12, "a"]),
        # But never between a letter and its vowel sign or tone.
        ("กกกกกกกกกกกก่ก", ["กกกกกกกกกกก", "ก่ก"]),
    ],
)
def test_pieces_of_at_most_twelve_characters(text: str, pieces: list[str]) -> None:
    assert cutting.cut(text, 12) == pieces


@pytest.mark.parametrize("unit", ["palabra ", "字", "Una frase. ", "x", "ที่", "\u0301", "🙂"])
@pytest.mark.parametrize("longest", [10, 97])
def test_every_character_is_kept_in_order(unit: str, longest: int) -> None:
    text = unit * 150
    pieces = cutting.cut(text, longest)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(0 < len(piece) <= longest for piece in pieces)


@pytest.mark.parametrize("unit", ["palabra ", "字", "Una frase. ", "x"])
def test_halves_are_about_as_long(unit: str) -> None:
    text = (unit * 300)[: 1000 // len(unit) * len(unit)]
    first, second = cutting.in_two(text)
    assert min(len(first), len(second)) >= len(text) // 5
    assert "".join((first + second).split()) == "".join(text.split())


def test_short_text_is_not_halved() -> None:
    assert cutting.in_two("word " * 30) == ()
