"""Languages: BCP-47 in the API, ISO 639-3 in language identification models, Whisper's codes in Whisper.

The only module that maps between them.
"""

import re
from typing import Final

import langcodes
from langcodes import tag_parser

UNDETERMINED: Final = "und"
"""BCP-47's own word for a recording whose language nobody can know, such as one without speech."""

_SPOKEN_APART: Final = frozenset({"yue", "wuu", "nan", "hak"})
"""ISO 639-3 files these under the macro-language `zh`; as spoken languages they are told apart."""


class UnknownLanguageError(ValueError):
    """The code names no language that BCP-47 knows."""

    def __init__(self, code: str) -> None:
        # Whatever somebody sent: as much of it as one can recognise it by.
        super().__init__(f"{code[:40]!r} is not a language code of BCP-47, such as en, zh, yue or pt-BR")
        self.code = code


_WITHOUT_SPACES: Final = _SPOKEN_APART | {"zh", "ja", "th", "lo", "my", "km"}
_PRIVATE_USE: Final = re.compile("q[a-t][a-z]")


def parse(code: str) -> str:
    """The normal form of a BCP-47 or ISO 639 code: `EN-us` to `en-US`, `eng` to `en`, `cmn` to `zh`.

    Raises UnknownLanguageError.
    """
    try:
        language = langcodes.Language.get(code.strip(), normalize=True)
    except (tag_parser.LanguageTagError, ValueError) as error:
        raise UnknownLanguageError(code) from error
    if language.language is None or not language.is_valid() or _PRIVATE_USE.fullmatch(language.language):
        raise UnknownLanguageError(code)
    if language.language in _SPOKEN_APART:
        return language.to_tag()
    return langcodes.standardize_tag(language, macro=True)


def base(code: str) -> str:
    """The language without script and region: `pt-BR` to `pt`. Raises UnknownLanguageError."""
    return parse(code).split("-")[0]


def same_language(first: str, second: str) -> bool:
    """True when text in `first` needs no translation into `second`; regions do not count."""
    return UNDETERMINED in (first, second) or base(first) == base(second)


def whisper_code(code: str) -> str:
    """The code that Whisper's tokenizer uses; whether a given model knows it is the model's to say."""
    return base(code)


def joiner(code: str) -> str:
    """What stands between sentences and words of the language: nothing where it is written without spaces."""
    return "" if code != UNDETERMINED and base(code) in _WITHOUT_SPACES else " "
