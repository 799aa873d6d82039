"""The host's own pages: state and counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette import routing
from starlette.requests import Request
from starlette.responses import JSONResponse

from local_stack.functions_host import counts, receipts


def routes(
    state: Callable[[], str], tally: counts.Counts, store: receipts.Receipts
) -> tuple[list[routing.Route], list[routing.Route]]:
    """Those that come before the app's functions, and those that only an unclaimed path reaches."""

    async def status(_request: Request) -> JSONResponse:
        return JSONResponse({"state": state()})

    async def counted(_request: Request) -> JSONResponse:
        return JSONResponse(snapshot(tally, store))

    first = [
        routing.Route("/admin/host/status", status, methods=["GET"]),
        routing.Route("/admin/host/counts", counted, methods=["GET"]),
    ]
    return first, [routing.Route("/counts", counted, methods=["GET"])]


def snapshot(tally: counts.Counts, store: receipts.Receipts) -> dict[str, Any]:
    """Per function what it has done since the start; `put_aside_blobs` is kept across restarts."""
    aside = store.aside()
    functions: dict[str, Any] = {}
    for name, row in tally.snapshot().items():
        put_aside = sum(receipt.key.function == name for receipt in aside)
        functions[name] = {**row, "put_aside": put_aside}
    blobs = [
        {
            "function": receipt.key.function,
            "container": receipt.key.container,
            "blob": receipt.key.blob,
            "etag": receipt.key.etag,
            "attempts": receipt.attempts,
            "error": receipt.error,
        }
        for receipt in aside
    ]
    return {"functions": functions, "put_aside_blobs": blobs}
