"""Around every request: a limit for the body, an answer for what nobody expected, and one line in the log."""

import time
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.errors import ProblemCode
from function_app.api import problems

log = structlog.get_logger(__name__)

LARGEST_BODY_BYTES: Final = 1024 * 1024


class Boundary:
    """Around the whole app: no exception leaves it, because the host would answer without a body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        answer = _Answer(send)
        try:
            await self._serve(scope, receive, answer)
        except Exception as error:
            if answer.status:
                raise
            await problems.internal_error(error, path=scope["path"])(scope, receive, answer)
        elapsed = round(time.monotonic() - began, 4)
        # The route and not the path: job ids have their own field in the events that matter.
        route = getattr(scope.get("route"), "path", None)
        log.info(
            "request_served", method=scope["method"], route=route, status=answer.status, run_seconds=elapsed
        )

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            detail = f"A body has at most {LARGEST_BODY_BYTES} bytes."
            await problems.problem(ProblemCode.BODY_TOO_LARGE, detail)(scope, receive, send)
            return
        await self._app(scope, _Replay(body, receive), send)


class _Answer:
    """Sends on, and remembers what was answered."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


class _Replay:
    """Gives the app the body that was read already, and then what comes."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when it is larger than the limit."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LARGEST_BODY_BYTES:
            return None
        if not message.get("more_body"):
            return b"".join(parts)
