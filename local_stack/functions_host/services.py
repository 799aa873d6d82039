"""What every kind of trigger needs from the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from local_stack.functions_host import host_json, invoker, settings, state, supervision


@dataclass(frozen=True, kw_only=True)
class Services:
    """Made once by the server, handed to each trigger handler."""

    settings: settings.Settings
    host: host_json.HostJson
    invoker: invoker.Invoker
    database: state.Database
    supervisor: supervision.Supervisor

    def resolve(self, text: str) -> str:
        """A binding's text with `%NAME%` replaced by the app setting."""
        return host_json.resolve(text, self.settings.app_settings)


class TriggerHandler(Protocol):
    """All functions of one kind of trigger."""

    async def start(self) -> None:
        """Begin to take triggers; returns once it does."""

    async def stop(self) -> None:
        """Take no more triggers, wait for those in hand; the caller sets the limit by cancelling."""
