"""Cursors of the job list: where the next page begins. Opaque to clients, checked when they come back."""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Position:
    """The last job of a page."""

    created_at: datetime
    job_id: str


def encode(position: Position) -> str:
    """Safe in a URL."""
    text = json.dumps([position.created_at.isoformat(), position.job_id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str) -> Position:
    """Raises ValueError for anything that `encode` did not make."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode("utf-8")
        created_at, job_id = json.loads(text)
        position = Position(created_at=datetime.fromisoformat(created_at), job_id=job_id)
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise ValueError("This is not a cursor of the job list.") from error
    # One way to write each position: what decodes and does not encode to the same was made by somebody else.
    if not _is_id(job_id) or position.created_at.tzinfo is None or encode(position) != cursor:
        raise ValueError("This is not a cursor of the job list.")
    return position


def _is_id(value: object) -> bool:
    """False for what the database would not even look for: NUL, lone surrogates."""
    return isinstance(value, str) and value.isascii() and value.isprintable()
