"""Runs the host's parts together until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sqlite3
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

import structlog
import uvicorn
from azure.durable_functions.models.utils import http_utils as sdk_http_utils
from starlette import routing
from starlette.applications import Starlette

from local_stack.functions_host import admin, assembly, errors, http_trigger, listening
from local_stack.functions_host.durable import errors as durable_errors
from local_stack.functions_host.durable import http_api

log = structlog.get_logger(__name__)

WEB_STOP_SECONDS = 2.0


class HostState(StrEnum):
    """What `GET /admin/host/status` says, in the real host's words."""

    INITIALIZING = "Initializing"
    RUNNING = "Running"
    STOPPING = "Stopping"


class Server:
    """One app, one event loop: the durable client's session is tied to the loop that first used it."""

    def __init__(self, parts: assembly.Parts, bound: socket.socket) -> None:
        self._parts = parts
        self._bound = bound
        self._state = HostState.INITIALIZING

    @property
    def base_url(self) -> str:
        return listening.base_url(self._bound)

    async def run(self, on_ready: Callable[[], None]) -> bool:
        """Serve until SIGTERM or SIGINT; false when a part of the host failed and ended it.

        `on_ready` is called once, when HTTP is answered and every trigger is taken. Raises
        DatabaseTakenError and DatabaseUnusableError.
        """
        supervisor = self._parts.services.supervisor
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, supervisor.end)
        # The engine first: what it resumes may call back, and then waits in the socket's backlog.
        await self._start_engine()
        web = _Web(self._asgi())
        serving = supervisor.watch(web.serve(sockets=[self._bound]), "http")
        for handler in self._parts.handlers:
            await handler.start()
        self._state = HostState.RUNNING
        on_ready()
        await supervisor.wait_for_end()
        await self._stop(web, serving)
        return not supervisor.failed

    async def _start_engine(self) -> None:
        try:
            await self._parts.engine.start()
        except durable_errors.DatabaseInUseError as error:
            raise errors.DatabaseTakenError(str(error)) from error
        except (OSError, sqlite3.Error) as error:
            raise errors.DatabaseUnusableError(f"{error}.") from error

    async def _stop(self, web: uvicorn.Server, serving: asyncio.Task[None]) -> None:
        """Take no more triggers, finish what runs, stop the engine; HTTP last, since functions call back."""
        self._state = HostState.STOPPING
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._parts.services.settings.shutdown_seconds
        log.info("host_stopping", in_flight=self._parts.tally.in_flight())
        await _within(deadline, asyncio.gather(*(handler.stop() for handler in self._parts.handlers)))
        await self._parts.engine.stop(grace_seconds=max(0.0, deadline - loop.time()))
        web.should_exit = True
        await _within(loop.time() + WEB_STOP_SECONDS, serving)
        await _close_client_session()
        self._parts.close()
        log.info("host_stopped", abandoned=self._parts.tally.in_flight())

    def _asgi(self) -> Starlette:
        functions = self._parts.http.routes()
        first, unclaimed = admin.routes(lambda: self._state, self._parts.tally, self._parts.receipts)
        durable = http_api.routes(self._parts.engine)
        specific = [route for route in functions if not http_trigger.is_catch_all(route)]
        catch_all = [route for route in functions if http_trigger.is_catch_all(route)]
        ordered: list[routing.BaseRoute] = [*first, *durable, *specific, *unclaimed, *catch_all]
        return Starlette(routes=ordered)


class _Web(uvicorn.Server):
    """Uvicorn without its signal handlers: the host decides when HTTP ends."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, server_header=False)
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _within(deadline: float, work: asyncio.Future[Any]) -> None:
    """Wait for the work until the deadline of the loop's clock, then cancel it."""
    try:
        async with asyncio.timeout_at(deadline):
            await work
    except TimeoutError:
        log.warning("stopped_before_the_end")


async def _close_client_session() -> None:
    # The durable client keeps one session for the whole process and has no public way to close it.
    session = sdk_http_utils._client_session  # noqa: SLF001 # see above
    if session is not None:
        await session.close()
