"""Language codes in and out."""

import pytest

from contracts import languages


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("en", "en"),
        ("EN-us", "en-US"),
        ("en_US", "en-US"),
        ("eng", "en"),  # ISO 639-3, as language identification models say it
        ("spa", "es"),
        ("cmn", "zh"),
        ("yue", "yue"),  # not folded into zh: it is spoken apart
        ("zh-TW", "zh-TW"),
        ("pt-BR", "pt-BR"),
        ("zsm", "ms"),
        ("arb", "ar"),
        ("sr-Latn", "sr-Latn"),
    ],
)
def test_code_is_brought_to_its_normal_form(code: str, expected: str) -> None:
    assert languages.parse(code) == expected


@pytest.mark.parametrize(
    "code", ["", "klingon", "xx-yy", "und", "qaa", "qqq", "en-", "12", "e n", "x" * 300, "\x00"]
)
def test_unknown_code_is_refused_by_name(code: str) -> None:
    with pytest.raises(languages.UnknownLanguageError) as refusal:
        languages.parse(code)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("en-GB", "en", True),
        ("zh", "zh-TW", True),
        ("zh", "yue", False),
        ("es", "en", False),
        ("und", "en", True),  # no speech: nothing to translate
    ],
)
def test_regions_do_not_make_another_language(first: str, second: str, *, expected: bool) -> None:
    assert languages.same_language(first, second) is expected


@pytest.mark.parametrize(
    ("code", "expected"), [("en", " "), ("zh-TW", ""), ("yue", ""), ("ja", ""), ("und", " ")]
)
def test_sentences_are_joined_as_the_language_is_written(code: str, expected: str) -> None:
    assert languages.joiner(code) == expected
