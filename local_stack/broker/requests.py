"""Requests to $cbs and to a queue's $management: what comes in and what is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from local_stack.broker import sections


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer; the application properties carry its status."""

    application_properties: dict[str, Any]
    body: Any = None

    def encoded(self, correlation_id: Any) -> bytes:
        return sections.response(
            correlation_id=correlation_id,
            application_properties=self.application_properties,
            body=self.body,
        )


class Endpoint(Protocol):
    """Answers the requests of one node."""

    def answer(self, request: sections.Parsed) -> Reply:
        """Answer; what is changed is noted in the journal, and the reply leaves after the turn is written."""

    def failed(self) -> Reply:
        """The answer when the turn could not be written."""
