"""Languages by the names that people know."""

import pytest

from function_app.language_model import names


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("en", "English (en)"),
        ("pt-BR", "Portuguese (pt-BR)"),
        ("zh", "Chinese (zh)"),
        ("yue", "Cantonese (yue)"),
        # ISO 639-3 adds years and kinds in brackets.
        ("el", "Modern Greek (el)"),
        ("ms", "Malay (ms)"),
        ("und", "an unknown language (und)"),
    ],
)
def test_name_with_code(code: str, sentence: str) -> None:
    assert names.with_code(code) == sentence
