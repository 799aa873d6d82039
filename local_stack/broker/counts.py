"""GET /counts and GET /health on a port of their own, for dashboards, scalers and launchers."""

from __future__ import annotations

from aiohttp import web

from local_stack.broker import errors, namespace


class CountsServer:
    def __init__(self, space: namespace.Namespace, *, host: str, port: int) -> None:
        self._namespace = space
        self._host = host
        self._port = port
        application = web.Application()
        application.router.add_get("/counts", self._counts)
        application.router.add_get("/health", self._health)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False)

    async def start(self) -> int:
        """Listen and return the port; raise ConfigurationError when it is taken."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, shutdown_timeout=1.0)
        try:
            await site.start()
        except OSError as failure:
            raise errors.ConfigurationError(
                f"Port {self._port} on {self._host} cannot be listened on: {failure.strerror}."
            ) from failure
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _counts(self, _request: web.Request) -> web.Response:
        return web.json_response({"queues": self._namespace.counts()})

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})
