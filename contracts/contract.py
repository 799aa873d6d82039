"""The base of every value that crosses a process border."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION: Final = 1
"""Raised when a message or a result changes so that an older reader would misread it."""

SchemaVersion = Literal[1]


class Contract(BaseModel):
    """Frozen, keyword-only, and strict about names: an unknown field is an error, not a guess."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
