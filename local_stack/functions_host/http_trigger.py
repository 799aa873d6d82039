"""HTTP triggers: an ASGI application per function, between uvicorn and the SDK's converters."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

import structlog
from azure.functions import http as sdk_http
from starlette import routing
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from local_stack.functions_host import errors, http_messages, loader
from local_stack.functions_host.services import Services

log = structlog.get_logger(__name__)

_PARAMETER = re.compile(r"\{(?P<rest>\*?)(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<kind>[a-z]+))?\}")
# ASP.NET's route constraints on the left, Starlette's convertors on the right.
_CONSTRAINTS = {None: "str", "alpha": "str", "int": "int", "guid": "uuid"}


class RequestTooLargeError(Exception):
    """The request body is larger than the limit."""


class ClientGoneError(Exception):
    """The client hung up before its request was whole."""


def check(function: loader.Function) -> None:
    """Raises UnsupportedBindingError for key-protected functions and unknown route syntax."""
    level = str(function.trigger.options.get("auth_level"))
    if not level.lower().endswith("anonymous"):
        raise errors.UnsupportedBindingError(
            f"{function.name}: an httpTrigger with auth level {level}; only ANONYMOUS, as no keys exist."
        )
    outputs = [binding for binding in function.outputs if binding.kind == "http"]
    if [binding.name for binding in outputs] != [loader.RETURN_BINDING]:
        raise errors.UnsupportedBindingError(
            f"{function.name}: its http output must be {loader.RETURN_BINDING}."
        )
    starlette_path(str(function.trigger.options["route"]), "")


def starlette_path(route: str, prefix: str) -> str:
    """`jobs/{id}` as `/jobs/{id:str}` and `{*rest}` as `/{rest:path}`, after the route prefix.

    Raises UnsupportedBindingError for optional parameters and other constraints than int, guid and alpha.
    """

    def convertor(match: re.Match[str]) -> str:
        if match["kind"] not in _CONSTRAINTS:
            raise errors.UnsupportedBindingError(f"Route {route!r}: {match[0]}.")
        return f"{{{match['name']}:{'path' if match['rest'] else _CONSTRAINTS[match['kind']]}}}"

    if re.search(r"[{}]", _PARAMETER.sub("", route)):
        raise errors.UnsupportedBindingError(f"Route {route!r}.")
    converted = _PARAMETER.sub(convertor, route)
    return "/" + "/".join(part.strip("/") for part in (prefix, converted) if part.strip("/"))


def is_catch_all(route: routing.Route) -> bool:
    return ":path}" in route.path


class HttpTriggers:
    """Every HTTP function of the app. The server serves their routes; after `stop` they answer 503."""

    def __init__(self, functions: Sequence[loader.Function], services: Services) -> None:
        self._services = services
        self._endpoints = [_FunctionEndpoint(function, services) for function in functions]

    def routes(self) -> list[routing.Route]:
        """The functions' routes, the more specific before the less, catch-alls last."""
        routes = [self._route(endpoint) for endpoint in self._endpoints]
        return sorted(routes, key=lambda route: _specificity(route.path))

    async def start(self) -> None:
        """Nothing to do: requests come through the server."""

    async def stop(self) -> None:
        await asyncio.gather(*(endpoint.stop() for endpoint in self._endpoints))

    def _route(self, endpoint: _FunctionEndpoint) -> routing.Route:
        options = endpoint.function.trigger.options
        prefix = self._services.host.extensions.http.route_prefix
        path = starlette_path(self._services.resolve(str(options["route"])), prefix)
        methods = [getattr(method, "value", str(method)) for method in options.get("methods") or ()]
        return routing.Route(path, endpoint, methods=methods or None, name=endpoint.function.name)


def _specificity(path: str) -> tuple[bool, int, int]:
    return (":path}" in path, path.count("{"), -len(path))


class _FunctionEndpoint:
    """One function as an ASGI application."""

    def __init__(self, function: loader.Function, services: Services) -> None:
        self.function = function
        self._services = services
        self._running: set[asyncio.Task[Response]] = set()
        self._stopping = False

    async def stop(self) -> None:
        """Refuse what comes from now on, wait for what runs."""
        self._stopping = True
        if self._running:
            await asyncio.wait(self._running)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            request = await self._request(scope, receive)
        except ClientGoneError:
            return
        except RequestTooLargeError:
            response: Response = _problem(413, "request_too_large")
        except UnicodeDecodeError:
            response = _problem(400, "path_not_utf8")
        else:
            response = await self._respond(request) if not self._stopping else _problem(503, "host_stopping")
        await response(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive) -> sdk_http.HttpRequest:
        limit_bytes = self._services.settings.request_body_limit_bytes
        if _announced_bytes(scope) > limit_bytes:
            raise RequestTooLargeError
        body = await _body(receive, limit_bytes)
        return http_messages.request_from(scope, body)

    async def _respond(self, request: sdk_http.HttpRequest) -> Response:
        running = asyncio.create_task(self._invoke(request))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        limit_seconds = self._services.settings.response_limit_seconds
        done, _ = await asyncio.wait({running}, timeout=limit_seconds)
        if not done:
            # As behind Azure's load balancer: the client is told, and the function goes on.
            log.warning("response_cut", function=self.function.name, limit_seconds=limit_seconds)
            return _problem(504, "response_timed_out")
        return running.result()

    async def _invoke(self, request: sdk_http.HttpRequest) -> Response:
        trace_parent = request.headers.get("traceparent")
        try:
            returned = await self._services.invoker.invoke(self.function, request, trace_parent=trace_parent)
            return http_messages.response_from(returned)
        except errors.FunctionTimeoutError:
            return _problem(500, errors.FunctionTimeoutError.code)
        except Exception:  # noqa: BLE001 # the app's code may raise anything; the log has it, the client not
            return _problem(500, "internal_error")


def _announced_bytes(scope: Scope) -> int:
    """Content-Length, so that a body which is too large is not read at all; 0 when it is sent in chunks."""
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    return int(announced) if announced.isdigit() else 0


async def _body(receive: Receive, limit_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit_bytes:
            raise RequestTooLargeError
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _problem(status: int, code: str) -> Response:
    return JSONResponse({"error": {"code": code}}, status_code=status)
