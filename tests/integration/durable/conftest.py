"""Engines and clients that end with their test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import pytest
import uvicorn
from azure.durable_functions.models.utils import http_utils
from starlette.applications import Starlette

from local_stack.functions_host.durable import client_binding, engine, http_api
from tests.integration.durable import rig

StartEngine = Callable[..., Awaitable[engine.DurableEngine]]


@pytest.fixture
async def start_engine(tmp_path: Path) -> AsyncIterator[StartEngine]:
    """Builds an engine (rig.build's arguments) over one database of this test, and starts it."""
    async with contextlib.AsyncExitStack() as engines:

        async def start(*orchestrators: Callable[..., Any], **options: Any) -> engine.DurableEngine:
            durable = rig.build(tmp_path, *orchestrators, **options)
            await durable.start()
            engines.push_async_callback(durable.stop, grace_seconds=1.0)
            return durable

        yield start


class Server:
    """The engine's routes on loopback, with the real SDK's client in front of them."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.client = df.DurableOrchestrationClient(client_binding.client_json("TestHub", base_url))


ServeEngine = Callable[[engine.DurableEngine], Awaitable[Server]]


@pytest.fixture
async def serve() -> AsyncIterator[ServeEngine]:
    """Serves an engine by uvicorn on the test's own event loop: the SDK's session is bound to one loop."""
    async with contextlib.AsyncExitStack() as servers:

        async def start(durable: engine.DurableEngine) -> Server:
            config = uvicorn.Config(
                Starlette(routes=http_api.routes(durable)), port=0, log_level="warning", lifespan="off"
            )
            server = uvicorn.Server(config)
            task = asyncio.create_task(server.serve())

            async def stop() -> None:
                server.should_exit = True
                await task

            servers.push_async_callback(stop)
            async with asyncio.timeout(rig.PATIENCE_SECONDS):
                while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                    await asyncio.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            return Server(f"http://127.0.0.1:{port}")

        yield start
        # The session would outlive this test's loop.
        await http_utils._close_session()
