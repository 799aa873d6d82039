"""$cbs, where clients leave their tokens. On one machine there is nothing to guard: each is accepted."""

from __future__ import annotations

from local_stack.broker import requests, sections, values


class TokenEndpoint:
    def answer(self, _request: sections.Parsed) -> requests.Reply:
        # Hyphens here, none in $management: each as the clients look for it.
        return requests.Reply(
            application_properties={"status-code": values.Int(202), "status-description": "Accepted"}
        )

    def failed(self) -> requests.Reply:
        return requests.Reply(
            application_properties={"status-code": values.Int(500), "status-description": "Internal error"}
        )
