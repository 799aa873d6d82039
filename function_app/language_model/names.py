"""Languages by the names that people know, for sentences and prompts."""

import functools
import re
from typing import Final

import pycountry

from contracts import languages

_OWN: Final = {"yue": "Cantonese", "zh": "Chinese"}
"""ISO 639-3 says `Yue Chinese`."""


@functools.cache
def name(code: str) -> str:
    """`English` for `en-GB`; the code itself where ISO 639-3 has no name for it."""
    if code == languages.UNDETERMINED:
        return "an unknown language"
    base = languages.base(code)
    if base in _OWN:
        return _OWN[base]
    entry = pycountry.languages.get(**{"alpha_2" if len(base) == 2 else "alpha_3": base})
    return re.sub(r"\s*\(.*\)", "", entry.name) if entry else code


def with_code(code: str) -> str:
    """`English (en)`."""
    return f"{name(code)} ({code})"
