"""Instants as the Durable protocol writes them: ISO 8601 in UTC, ending in Z."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def text(instant: datetime) -> str:
    """`2026-11-20T17:05:49.000123Z`: always microseconds, so that texts sort as instants do."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds_text(instant: str) -> str:
    """The same instant cut to whole seconds, as status answers show it."""
    return instant[:19] + "Z"


def parse(value: str) -> datetime:
    """Reads an ISO 8601 instant; one without an offset is taken as UTC. Raises ValueError."""
    instant = datetime.fromisoformat(value)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
