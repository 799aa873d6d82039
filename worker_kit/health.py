"""/health, /ready and /metrics."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import prometheus_client
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts import api
from worker_kit.metrics import WorkerMetrics
from worker_kit.readiness import Readiness

log = structlog.get_logger()

STOP_SECONDS = 5.0


def create_app(readiness: Readiness, metrics: WorkerMetrics) -> Starlette:
    """/health: the process answers. /ready: 200, or 503 with what is missing. /metrics: Prometheus text."""

    def health(_: Request) -> Response:
        return _json(200, api.HealthView(status="ok"))

    def ready(_: Request) -> Response:
        if readiness.ready():
            return _json(200, api.HealthView(status="ready", checks=readiness.checks()))
        return _json(503, api.HealthView(status="not_ready", checks=readiness.checks()))

    def show_metrics(_: Request) -> Response:
        text = prometheus_client.generate_latest(metrics.registry)
        return Response(text, media_type=prometheus_client.CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[Route("/health", health), Route("/ready", ready), Route("/metrics", show_metrics)]
    )


@contextlib.contextmanager
def serving(app: Starlette, *, host: str, port: int) -> Iterator[int]:
    """Serves in a thread of its own, which answers whatever the event loop is doing; yields the port.

    In a thread, uvicorn leaves the signals to the worker.
    """
    listener = socket.create_server((host, port))
    actual_port = int(listener.getsockname()[1])
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="health", daemon=True)
    thread.start()
    log.info("health_listening", host=host, port=actual_port)
    try:
        yield actual_port
    finally:
        server.should_exit = True
        thread.join(STOP_SECONDS)
        listener.close()


def _json(status_code: int, view: api.HealthView) -> Response:
    return Response(view.model_dump_json(), status_code=status_code, media_type="application/json")
