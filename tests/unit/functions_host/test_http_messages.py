"""Responses come back as the real host sends them; routes are ASP.NET's."""

from __future__ import annotations

import azure.functions as func
import pytest

from local_stack.functions_host import errors, http_messages, http_trigger


@pytest.mark.parametrize(
    ("returned", "status", "body", "content_type"),
    [
        # nothing returned
        (None, 204, b"", None),
        # a text is an answer
        ("hello", 200, b"hello", "text/plain; charset=utf-8"),
        # a response's type is its mimetype and charset
        (func.HttpResponse("x", status_code=418), 418, b"x", "text/plain; charset=utf-8"),
        (func.HttpResponse(b"\x00", mimetype="audio/wav"), 200, b"\x00", "audio/wav"),
        # a header wins over the mimetype
        (func.HttpResponse("{}", headers={"Content-Type": "a/b"}), 200, b"{}", "a/b"),
        # a stale length is replaced
        (
            func.HttpResponse("abc", headers={"content-length": "99"}),
            200,
            b"abc",
            "text/plain; charset=utf-8",
        ),
    ],
)
def test_what_a_function_returns_becomes_a_response(
    returned: object, status: int, body: bytes, content_type: str | None
) -> None:
    response = http_messages.response_from(returned)
    assert (response.status_code, response.body) == (status, body)
    assert response.headers.get("content-type") == content_type
    assert response.headers.get("content-length", "0") == str(len(body))


def test_what_is_no_response_is_an_error() -> None:
    with pytest.raises(NotImplementedError):
        http_messages.response_from(object())


@pytest.mark.parametrize(
    ("route", "prefix", "expected"),
    [
        ("jobs", "", "/jobs"),
        ("jobs/{id}", "api", "/api/jobs/{id:str}"),
        ("{*rest}", "", "/{rest:path}"),
        ("jobs/{number:int}/x", "", "/jobs/{number:int}/x"),
        ("jobs/{id:guid}", "", "/jobs/{id:uuid}"),
        ("/jobs/", "/api/", "/api/jobs"),
        ("", "", "/"),
    ],
)
def test_route_is_translated(route: str, prefix: str, expected: str) -> None:
    assert http_trigger.starlette_path(route, prefix) == expected


@pytest.mark.parametrize("route", ["{id?}", "{id:length(5)}", "{id=5}", "{id:decimal}", "a/{"])
def test_route_syntax_that_is_not_served_is_refused(route: str) -> None:
    with pytest.raises(errors.UnsupportedBindingError):
        http_trigger.starlette_path(route, "")
