"""Whether a translation still says what the transcript says, as far as that can be seen without a dictionary.

Numbers, names and the glossary's terms are looked for in the translation of their segment and of its
neighbours, because a sentence may go on in the next segment. What is not found is a warning: it names
segments and never their words, which have no place in logs and histories.
"""

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from contracts import languages, results

_NUMBER: Final = re.compile(r"\d+(?:[.,:\u2019'\u00a0\u202f]\d+)*")
_NAME: Final = re.compile(r"(?<=[^\W_][,;]\s)[^\W\d_]{2,}|(?<=[^\W_]\s)[^\W\d_]{2,}")
_WORD: Final = re.compile(r"[^\W\d_]{2,}")

LARGEST_WORDED_NUMBER: Final = 12
"""Up to here numbers are often written as words, in one language or the other."""
SIMILAR: Final = 0.6
"""From here on two spellings count as one name: Moscú and Moscow do, London and Madrid do not."""
MOST_COMPARISONS: Final = 100_000
"""Of spellings for one segment: a second's work. A text that needs more is no segment but a book."""
MOST_SEGMENTS_NAMED: Final = 20

_CAPITALIZES_NOUNS: Final = frozenset({"de", "lb"})
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = ("january", "february", "march", "april", "may", "june", "july", "august", "september")
_CALENDAR: Final = frozenset({*_DAYS, *_MONTHS, "october", "november", "december"})
"""Capitalised in English, and translated."""

_Lost = Callable[[str, str], bool]


def terms_in(segments: Sequence[results.TranscriptSegment], glossary: Mapping[str, str]) -> dict[str, str]:
    """The glossary's entries that have their word in the segments."""
    text = "\n".join(segment.text for segment in segments).casefold()
    return {term: rendering for term, rendering in glossary.items() if term.casefold() in text}


def warnings(
    segments: Sequence[results.TranscriptSegment],
    texts: Mapping[int, str],
    *,
    source_language: str,
    glossary: Mapping[str, str],
) -> tuple[str, ...]:
    """A sentence for each kind of thing that seems to be lost, with the numbers of the segments."""

    has_names = not _capitalizes_nouns(source_language)

    def names(source: str, found: str) -> bool:
        return has_names and _loses_name(source, found, glossary)

    def terms(source: str, found: str) -> bool:
        return _loses_term(source, found, glossary)

    kinds: dict[str, _Lost] = {
        "numbers of the transcript may be missing": _loses_number,
        "names of the transcript may be missing": names,
        "terms of the glossary are missing": terms,
    }
    lost = {what: list(_where(segments, texts, loses)) for what, loses in kinds.items()}
    return tuple(_sentence(what, where) for what, where in lost.items() if where)


def _where(
    segments: Sequence[results.TranscriptSegment], texts: Mapping[int, str], loses: _Lost
) -> Iterator[int]:
    for place, segment in enumerate(segments):
        near = segments[max(place - 1, 0) : place + 2]
        if loses(segment.text, "\n".join(texts[one.id] for one in near)):
            yield segment.id


def _sentence(what: str, where: Sequence[int]) -> str:
    shown = ", ".join(str(number) for number in where[:MOST_SEGMENTS_NAMED])
    more = f" and {len(where) - MOST_SEGMENTS_NAMED} more" if len(where) > MOST_SEGMENTS_NAMED else ""
    return f"{what} in the translation: segments {shown}{more}"


def _loses_number(source: str, found: str) -> bool:
    return not set(_numbers(source)) <= set(_numbers(found))


def _numbers(text: str) -> Iterator[str]:
    """Digits without what groups them: 1.250 and 1,250 are the same, in every script's digits."""
    for match in _NUMBER.findall(text):
        digits = "".join(str(unicodedata.digit(one)) for one in match if one.isdigit())
        if int(digits[:20]) > LARGEST_WORDED_NUMBER:
            yield digits


def _loses_name(source: str, found: str, glossary: Mapping[str, str]) -> bool:
    if not _is_latin(found):
        return False
    words = _WORD.findall(found)
    names = _names(source) - {word.casefold() for term in glossary for word in _WORD.findall(term)}
    changed = names - {word.casefold() for word in words}
    candidates = {word.casefold() for word in words if word[0].isupper()}
    if len(changed) * len(candidates) > MOST_COMPARISONS:
        return False
    return any(not difflib.get_close_matches(name, candidates, n=1, cutoff=SIMILAR) for name in changed)


def _names(text: str) -> set[str]:
    """Capitalised words inside a sentence, of a script that has capitals; none in a text all of capitals."""
    if text.isupper():
        return set()
    return {
        word.casefold()
        for word in _NAME.findall(text)
        if word[0].isupper() and _is_latin(word) and word.casefold() not in _CALENDAR
    }


def _capitalizes_nouns(language: str) -> bool:
    return language != languages.UNDETERMINED and languages.base(language) in _CAPITALIZES_NOUNS


def _is_latin(text: str) -> bool:
    letters = [one for one in text if one.isalpha()]
    latin = sum("LATIN" in unicodedata.name(one, "") for one in letters)
    return bool(letters) and latin * 2 > len(letters)


def _loses_term(source: str, found: str, glossary: Mapping[str, str]) -> bool:
    text, translated = source.casefold(), found.casefold()
    return any(
        term.casefold() in text and rendering.casefold() not in translated
        for term, rendering in glossary.items()
    )
