"""Durable's HTTP API, the same under two paths: for the SDK's client and for operators.

Status codes and bodies are those of the extension's HttpApiHandler. Every answer is JSON or empty,
because the SDK's client parses whatever comes. What is not built answers 501 with a JSON body.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_stack.functions_host.durable import client_binding, engine, errors, instants, status_json

log = structlog.get_logger(__name__)

_CONTINUATION = "x-ms-continuation-token"
_DEFAULT_PAGE = 100  # OrchestrationStatusQueryCondition.PageSize; the SDK's client asks for one page only

# OrchestrationRuntimeStatus of the extension.
_RUNTIME_STATUSES = frozenset(
    {
        *(status.value for status in engine.Status),
        *("ContinuedAsNew", "Canceled", "Suspended", "Unknown"),
    }
)
_NOT_BUILT_OPERATIONS = ("suspend", "resume", "rewind", "restart")

BaseUrlOf = Callable[[Request], str]
_Handler = Callable[[Request], Awaitable[Response]]


def routes(durable: engine.DurableEngine, *, base_url_of: BaseUrlOf | None = None) -> list[Route]:
    """Both APIs as routes. `base_url_of` gives the origin that links in answers start with, e.g.
    `http://127.0.0.1:7071`; by default the request's own."""
    api = _Api(durable, base_url_of or (lambda request: str(request.base_url)))
    table: list[tuple[str, str, _Handler]] = [
        ("POST", "/orchestrators/{name}", api.start),
        ("POST", "/orchestrators/{name}/{instance_id}", api.start),
        ("GET", "/instances", api.query),
        ("GET", "/instances/", api.query),
        ("DELETE", "/instances", api.purge_many),
        ("DELETE", "/instances/", api.purge_many),
        ("GET", "/instances/{instance_id}", api.status),
        ("DELETE", "/instances/{instance_id}", api.purge),
        ("POST", "/instances/{instance_id}/raiseEvent/{event_name}", api.raise_event),
        ("POST", "/instances/{instance_id}/terminate", api.terminate),
        *(("POST", f"/instances/{{instance_id}}/{name}", api.not_built) for name in _NOT_BUILT_OPERATIONS),
        *((method, "/entities/{rest:path}", api.not_built) for method in ("GET", "POST", "DELETE")),
        *((method, "/entities", api.not_built) for method in ("GET", "POST", "DELETE")),
    ]
    return [
        Route(prefix + path, _answering_errors(handler), methods=[method])
        for prefix in (client_binding.RPC_PATH, client_binding.WEBHOOK_PATH)
        for method, path, handler in table
    ]


class _AsciiJSONResponse(JSONResponse):
    """JSON that can always be sent: half a surrogate pair, which JSON may hold, has no UTF-8."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":")).encode("ascii")


class _Api:
    def __init__(self, durable: engine.DurableEngine, base_url_of: BaseUrlOf) -> None:
        self._durable = durable
        self._base_url_of = base_url_of

    async def start(self, request: Request) -> Response:
        body = await request.body()
        instance_id = await self._durable.start_new(
            request.path_params["name"],
            # The client posts `null` when there is no input.
            body.decode() if body and body.strip() != b"null" else None,
            request.path_params.get("instance_id"),
            request.query_params.get("version"),
        )
        links = client_binding.management_urls(
            instance_id,
            webhook_url=self._base_url_of(request).rstrip("/") + client_binding.WEBHOOK_PATH,
            query=f"taskHub={self._durable.limits.task_hub}&connection=Storage",
        )
        headers = {"Location": links["statusQueryGetUri"], "Retry-After": "10"}
        return _AsciiJSONResponse(links, status_code=202, headers=headers)

    async def raise_event(self, request: Request) -> Response:
        instance_id = request.path_params["instance_id"]
        await self._require_alive(instance_id)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise errors.InvalidPayloadError("Only application/json request content is supported")
        body = await request.body()
        await self._durable.raise_event(
            instance_id, request.path_params["event_name"], body.decode() or "null"
        )
        return Response(status_code=202)

    async def terminate(self, request: Request) -> Response:
        reason = request.query_params.get("reason", "")
        await self._durable.terminate(request.path_params["instance_id"], reason)
        return Response(status_code=202)

    async def status(self, request: Request) -> Response:
        query = request.query_params
        status = await self._durable.status(
            request.path_params["instance_id"], show_history=_flag(query.get("showHistory"))
        )
        body = status_json.payload(
            status,
            show_input=_flag(query.get("showInput", "true")),
            show_history_output=_flag(query.get("showHistoryOutput")),
        )
        if not status.status.is_final:
            return _AsciiJSONResponse(
                body, status_code=202, headers={"Location": str(request.url), "Retry-After": "5"}
            )
        is_error = status.status is engine.Status.FAILED and _flag(
            query.get("returnInternalServerErrorOnFailure")
        )
        return _AsciiJSONResponse(body, status_code=500 if is_error else 200)

    async def query(self, request: Request) -> Response:
        """One page, with the token of the next in a header, empty after the last."""
        limit = int(request.query_params.get("top") or _DEFAULT_PAGE)
        filters = _filters(request, limit=limit + 1, after=request.headers.get(_CONTINUATION, ""))
        found = await self._durable.query(filters)
        show_input = _flag(request.query_params.get("showInput", "true"))
        page = [status_json.payload(each, show_input=show_input) for each in found[:limit]]
        token = found[limit - 1].instance_id if len(found) > limit else ""
        return _AsciiJSONResponse(page, headers={_CONTINUATION: token})

    async def purge(self, request: Request) -> Response:
        deleted = await self._durable.purge(request.path_params["instance_id"])
        return _AsciiJSONResponse({"instancesDeleted": deleted})

    async def purge_many(self, request: Request) -> Response:
        if "createdTimeFrom" not in request.query_params:
            message = "Please provide value for 'createdTimeFrom' parameter."
            return _AsciiJSONResponse(message, status_code=400)
        deleted = await self._durable.purge_many(_filters(request))
        return _AsciiJSONResponse({"instancesDeleted": deleted}, status_code=200 if deleted else 404)

    async def not_built(self, request: Request) -> Response:
        operation = "entities" if "/entities" in request.url.path else request.url.path.rpartition("/")[2]
        raise errors.NotBuiltError(f"{operation} is not built by the local Functions host")

    async def _require_alive(self, instance_id: str) -> None:
        """404 and 410 come before any complaint about the body, as in the extension."""
        status = await self._durable.status(instance_id)
        if status.status.is_final:
            raise errors.InstanceFinishedError


def _answering_errors(handler: _Handler) -> _Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except (errors.InstanceNotFoundError, errors.InstanceFinishedError) as missing:
            return Response(status_code=missing.http_status)
        except errors.DurableError as refusal:
            return _error(refusal, refusal.http_status, refusal.code)
        except ValueError as bad_parameter:
            return _error(bad_parameter, 400, "invalid_parameter")
        except Exception as failure:
            log.exception("durable_request_failed", path=request.url.path)
            return _error(failure, 500, "internal_error")

    return answer


def _error(failure: Exception, status_code: int, code: str) -> JSONResponse:
    """The SDK shows ExceptionMessage of a 400 to its caller, and the whole body of others."""
    general = {
        400: "One or more of the arguments submitted is incorrect",
        501: "Not built by the local Functions host",
    }
    body: dict[str, Any] = {
        "Message": general.get(status_code, "Something went wrong while processing your request"),
        "ExceptionMessage": str(failure),
        "ExceptionType": type(failure).__name__,
        "code": code,
    }
    return _AsciiJSONResponse(body, status_code=status_code)


def _filters(request: Request, *, limit: int | None = None, after: str = "") -> engine.Filters:
    query = request.query_params
    wanted = [name for value in query.getlist("runtimeStatus") for name in value.split(",")]
    return engine.Filters(
        # A status that instances here never take matches none of them; text that is no status is passed over.
        statuses=tuple(name for name in wanted if name in _RUNTIME_STATUSES),
        created_from=_instant(query.get("createdTimeFrom")),
        created_to=_instant(query.get("createdTimeTo")),
        id_prefix=query.get("instanceIdPrefix", ""),
        after_instance_id=after,
        limit=limit,
    )


def _instant(text: str | None) -> datetime | None:
    return instants.parse(text) if text else None


def _flag(text: str | None) -> bool:
    return (text or "").lower() == "true"
