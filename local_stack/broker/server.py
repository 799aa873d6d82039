"""The listening broker: its connections, heartbeats, and its orderly end."""

from __future__ import annotations

import asyncio
import contextlib
from uuid import uuid4

import structlog

from local_stack.broker import connection, errors, namespace, settings

log = structlog.get_logger()

_STOP_SECONDS = 1.0


class Server:
    def __init__(self, space: namespace.Namespace, limits: settings.Settings) -> None:
        self.namespace = space
        self.settings = limits
        self.container_id = f"speech-flow-broker-{uuid4().hex[:8]}"
        self._connections: set[connection.Connection] = set()
        self._listener: asyncio.Server | None = None
        self._heartbeat: asyncio.TimerHandle | None = None
        self._nobody_left = asyncio.Event()
        self._nobody_left.set()

    async def start(self) -> int:
        """Listen and return the port; raise ConfigurationError when it is taken."""
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(
                lambda: connection.Connection(self), self.settings.host, self.settings.port, backlog=512
            )
        except OSError as failure:
            raise errors.ConfigurationError(
                f"{self.settings.host}:{self.settings.port} cannot be listened on: {failure.strerror}."
            ) from failure
        self.namespace.start()
        self._beat()
        return int(self._listener.sockets[0].getsockname()[1])

    def _beat(self) -> None:
        for each in self._connections:
            each.heartbeat()
        self.namespace.purge()
        self._heartbeat = asyncio.get_running_loop().call_later(self.settings.heartbeat_seconds, self._beat)

    def add(self, client: connection.Connection) -> None:
        self._connections.add(client)
        self._nobody_left.clear()

    def remove(self, client: connection.Connection) -> None:
        self._connections.discard(client)
        if not self._connections:
            self._nobody_left.set()

    def check_connections(self) -> None:
        """Raise ConnectionLimitError when there are more clients than allowed."""
        if len(self._connections) > self.settings.max_connections:
            raise errors.ConnectionLimitError(
                f"The broker serves {self.settings.max_connections} connections at a time; close some."
            )

    async def stop(self) -> None:
        """Tell every client, write what is noted, and stop listening."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        if self._listener is not None:
            self._listener.close()
        for each in list(self._connections):
            each.close(errors.StoppingError())
        # Clients answer our close with theirs; those that do not are not waited for.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._nobody_left.wait(), _STOP_SECONDS)
        self.namespace.stop()
