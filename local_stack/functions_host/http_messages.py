"""HTTP requests and responses between ASGI and the Functions SDK's converters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from azure.functions import http as sdk_http
from azure.functions import meta
from starlette.responses import Response
from starlette.types import Scope


def request_from(scope: Scope, body: bytes) -> sdk_http.HttpRequest:
    """Through the SDK's converter, from what the real host sends: absolute URL, one text per name.

    Raises UnicodeDecodeError for a path that is not UTF-8 under its percent signs.
    """
    headers = _joined((key.decode("latin-1"), value.decode("latin-1")) for key, value in scope["headers"])
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    unquote_to_bytes(raw_path).decode("utf-8")
    query: bytes = scope["query_string"]
    host = headers.get("host") or "{}:{}".format(*scope["server"])
    url = f"{scope['scheme']}://{host}{raw_path.decode('ascii', 'replace')}"
    if query:
        url += f"?{query.decode('latin-1')}"
    parameters = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    value = {
        "method": meta.Datum(scope["method"], "string"),
        "url": meta.Datum(url, "string"),
        "headers": _strings(headers),
        "query": _strings(_joined(parameters)),
        "params": _strings({name: str(text) for name, text in scope.get("path_params", {}).items()}),
        "body": meta.Datum(body, "bytes"),
    }
    request: sdk_http.HttpRequest = sdk_http.HttpRequestConverter.decode(
        meta.Datum(value, "http"), trigger_metadata=None
    )
    return request


def response_from(returned: Any) -> Response:
    """Through the SDK's converter. A text is a 200, None is a 204, as the real host has it."""
    if returned is None:
        return Response(status_code=204)
    encoded = sdk_http.HttpResponseConverter.encode(returned, expected_type=None)
    if encoded.type == "string":
        return Response(encoded.value, media_type="text/plain")
    value = encoded.value
    # The body's length is counted anew; what an ASGI app said of it need not survive a HEAD or a 204.
    headers = {
        name: datum.value for name, datum in value["headers"].items() if name.lower() != "content-length"
    }
    response = Response(value["body"].value, status_code=int(value["status_code"].value), headers=headers)
    for cookie in value["cookies"] or []:
        for morsel in cookie.values():
            response.headers.append("set-cookie", morsel.OutputString())
    return response


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """One text per name: the worker's protocol has no repeated headers, the host joins them with a comma."""
    joined: dict[str, str] = {}
    for name, text in pairs:
        joined[name] = f"{joined[name]},{text}" if name in joined else text
    return joined


def _strings(texts: Mapping[str, str]) -> dict[str, meta.Datum]:
    return {name: meta.Datum(text, "string") for name, text in texts.items()}
