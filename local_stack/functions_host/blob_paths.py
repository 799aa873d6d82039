"""Blob trigger paths such as `audio-files/{tenant}/{job}/source`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, kw_only=True)
class BlobPath:
    """A container and a pattern for the names in it."""

    container: str
    prefix: str
    """What every matching name begins with: all of the pattern before its first parameter."""
    pattern: re.Pattern[str]

    def match(self, name: str) -> dict[str, str] | None:
        """The parameters' values, or None when the name is of another shape."""
        found = self.pattern.fullmatch(name)
        return found.groupdict() if found else None


def parse(path: str) -> BlobPath:
    """Raises ValueError for a path without container and name, or with braces that are not a parameter.

    A parameter matches any text, slashes included, and the earlier one takes as much as it can: the rule of
    the WebJobs SDK, so a function cannot rely on `{tenant}` to hold no slash here either.
    """
    container, _, name = path.strip("/").partition("/")
    if not container or not name:
        raise ValueError(f"{path!r} is not CONTAINER/NAME")
    pieces = _PARAMETER.split(name)
    if any(brace in text for text in (container, *pieces[::2]) for brace in "{}"):
        raise ValueError(f"{path!r} has braces that do not enclose a parameter's name")
    names = pieces[1::2]
    if len(set(names)) < len(names):
        raise ValueError(f"{path!r} names a parameter twice")
    literals = [re.escape(text) for text in pieces[::2]]
    groups = [f"(?P<{parameter}>.*)" for parameter in names]
    interleaved = [text for pair in zip(literals, [*groups, ""], strict=True) for text in pair]
    return BlobPath(
        container=container, prefix=pieces[0], pattern=re.compile("".join(interleaved), re.DOTALL)
    )
