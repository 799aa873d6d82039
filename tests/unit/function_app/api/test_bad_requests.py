"""Everything that a request can have wrong, and the problem that says so."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from contracts import api as contract_api
from contracts.errors import ProblemCode
from function_app.api import problems
from tests.unit.function_app import api_fixtures

UNKNOWN = "0" * 32


def problem(answer: httpx2.Response) -> contract_api.Problem:
    """The answer as a problem whose parts agree with one another."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    found = contract_api.Problem.model_validate_json(answer.content)
    assert found.status == answer.status_code
    assert found.type == f"urn:speech-flow:problem:{found.code}"
    assert found.detail
    return found


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        pytest.param({}, 422, "invalid_request", "file_name", id="no file name"),
        pytest.param({"file_name": ""}, 422, "file_name_not_allowed", "file_name", id="empty file name"),
        pytest.param(
            {"file_name": "a" * 256}, 422, "file_name_not_allowed", "file_name", id="long file name"
        ),
        pytest.param(
            {"file_name": "a\x00b"}, 422, "file_name_not_allowed", "file_name", id="NUL in the file name"
        ),
        pytest.param({"file_name": "a\nb"}, 422, "file_name_not_allowed", "file_name", id="line feed"),
        pytest.param({"file_name": "a\x9bb"}, 422, "file_name_not_allowed", "file_name", id="C1 control"),
        pytest.param({"file_name": 7}, 422, "invalid_request", "file_name", id="number for a name"),
        pytest.param({"file_name": "a", "file": "b"}, 422, "unknown_option", "file", id="unknown field"),
        pytest.param([], 422, "invalid_request", "body", id="list"),
        pytest.param("text", 422, "invalid_request", "body", id="string"),
        pytest.param(
            {"file_name": "a", "workflow": "karaoke"}, 422, "unknown_workflow", "workflow", id="workflow"
        ),
        pytest.param(
            {"file_name": "a", "workflow": None}, 422, "unknown_workflow", "workflow", id="no workflow"
        ),
        pytest.param(
            {"file_name": "a", "workflow": "translate_only"},
            422,
            "workflow_not_available",
            "workflow",
            id="translate_only without a language model",
        ),
        pytest.param(
            {"file_name": "a", "workflow": "summarize_only"},
            422,
            "transcript_required",
            "transcript",
            id="summarize_only without a transcript",
        ),
        pytest.param(
            {"file_name": "a", "workflow": "transcribe_only"},
            422,
            "source_language_required",
            "source_language",
            id="transcribe_only without language",
        ),
        pytest.param(
            {"file_name": "a", "source_language": "klingonisch"},
            422,
            "unknown_language",
            "source_language",
            id="language",
        ),
        pytest.param(
            {"file_name": "a", "target_language": ""},
            422,
            "unknown_language",
            "target_language",
            id="empty target",
        ),
        pytest.param(
            {"file_name": "a", "target_language": "und"}, 422, "unknown_language", "target_language", id="und"
        ),
        pytest.param(
            {"file_name": "a", "priority": "now"}, 422, "invalid_request", "priority", id="priority"
        ),
        pytest.param(
            {"file_name": "a", "size_bytes": -1}, 422, "invalid_request", "size_bytes", id="size below 0"
        ),
        pytest.param({"file_name": "a", "size_bytes": 10**18}, 413, "upload_too_large", None, id="too large"),
        pytest.param(
            {"file_name": "a", "metadata": {"k": 1}}, 422, "invalid_request", "metadata.k", id="metadata"
        ),
        pytest.param(
            {"file_name": "a", "metadata": {"k": "\x00"}},
            422,
            "invalid_request",
            "metadata",
            id="NUL in metadata",
        ),
        pytest.param(
            {"file_name": "a", "metadata": {"": "v"}}, 422, "invalid_request", "metadata", id="empty key"
        ),
        pytest.param(
            {"file_name": "a", "metadata": {"k": "v" * 1025}},
            422,
            "invalid_request",
            "metadata",
            id="long value",
        ),
        pytest.param(
            {"file_name": "a", "metadata": {str(n): "" for n in range(51)}},
            422,
            "invalid_request",
            "metadata",
            id="much metadata",
        ),
    ],
)
def test_submission_that_is_wrong_names_its_field_and_makes_no_job(
    api: api_fixtures.Api, body: Any, status: int, code: str, field: str | None
) -> None:
    found = problem(api.http.post("/jobs", json=body))
    assert (found.status, found.code) == (status, code)
    assert field in [one.field for one in found.errors] or (field is None and not found.errors)
    assert api.http.get("/jobs").json()["jobs"] == []


@pytest.mark.parametrize(
    ("content", "media_type", "status", "code"),
    [
        pytest.param(b"{", "application/json", 400, "invalid_request", id="half an object"),
        pytest.param(b"", "application/json", 422, "invalid_request", id="nothing"),
        pytest.param(b"null", "application/json", 422, "invalid_request", id="null"),
        pytest.param(b"\xff\xfe", "application/json", 400, "invalid_request", id="no UTF-8"),
        pytest.param(b"[" * 100_000, "application/json", 400, "invalid_request", id="deep"),
        pytest.param(
            b'{"file_name": "\\ud800"}', "application/json", 422, "file_name_not_allowed", id="lone surrogate"
        ),
        pytest.param(
            b'{"file_name": "a", "\\ud800": 1}',
            "application/json",
            422,
            "invalid_request",
            id="surrogate key",
        ),
        pytest.param(
            b'{"file_name": "a", "size_bytes": NaN}', "application/json", 422, "invalid_request", id="NaN"
        ),
        pytest.param(b'{"file_name": "a"}', "text/plain", 415, "unsupported_media_type", id="text"),
        pytest.param(b'{"file_name": "a"}', "", 415, "unsupported_media_type", id="no type"),
        pytest.param(
            b"file_name=a", "application/x-www-form-urlencoded", 415, "unsupported_media_type", id="form"
        ),
        pytest.param(b" " * 1_048_577, "application/json", 413, "body_too_large", id="too large"),
    ],
)
def test_body_that_is_no_json_object_is_a_problem(
    api: api_fixtures.Api, content: bytes, media_type: str, status: int, code: str
) -> None:
    found = problem(api.http.post("/jobs", content=content, headers={"content-type": media_type}))
    assert (found.status, found.code) == (status, code)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        pytest.param("GET", "/nothing", 404, "not_found", id="unknown path"),
        pytest.param("GET", "/jobs/", 404, "not_found", id="trailing slash"),
        pytest.param("PUT", "/jobs", 405, "method_not_allowed", id="PUT"),
        pytest.param("PATCH", f"/jobs/{UNKNOWN}", 405, "method_not_allowed", id="PATCH"),
        pytest.param("GET", f"/jobs/{UNKNOWN}/start", 405, "method_not_allowed", id="GET start"),
        pytest.param("GET", f"/jobs/{UNKNOWN}", 404, "job_not_found", id="unknown job"),
        pytest.param("GET", "/jobs/%00", 404, "job_not_found", id="NUL"),
        pytest.param("GET", "/jobs/..%2f..", 404, "not_found", id="traversal"),
        pytest.param("GET", f"/jobs/{UNKNOWN}/results", 404, "job_not_found", id="results"),
        pytest.param("POST", f"/jobs/{UNKNOWN}/start", 404, "job_not_found", id="start"),
        pytest.param("POST", f"/jobs/{UNKNOWN}/cancel", 404, "job_not_found", id="cancel"),
        pytest.param("DELETE", f"/jobs/{UNKNOWN}", 404, "job_not_found", id="delete"),
        pytest.param("GET", "/jobs?limit=0", 422, "invalid_request", id="limit 0"),
        pytest.param("GET", "/jobs?limit=101", 422, "invalid_request", id="limit 101"),
        pytest.param("GET", "/jobs?limit=many", 422, "invalid_request", id="limit in words"),
        pytest.param("GET", "/jobs?status=done", 422, "invalid_request", id="status"),
        pytest.param("GET", "/jobs?workflow=karaoke", 422, "unknown_workflow", id="workflow"),
        pytest.param("GET", "/jobs?language=klingonisch", 422, "unknown_language", id="language"),
        pytest.param("GET", "/jobs?language=%00", 422, "unknown_language", id="NUL for a language"),
        pytest.param("GET", "/jobs?created_from=yesterday", 422, "invalid_request", id="moment in words"),
        pytest.param(
            "GET", "/jobs?created_from=2026-11-20T10:00:00", 422, "invalid_request", id="no time zone"
        ),
        pytest.param(
            "GET", "/jobs?created_from=0001-01-01T00:00:00%2B14:00", 422, "invalid_request", id="year 0"
        ),
        pytest.param("GET", "/jobs?stauts=failed", 422, "unknown_option", id="filter that is misspelt"),
        pytest.param("GET", "/jobs?cursor=x", 422, "invalid_cursor", id="cursor"),
        pytest.param("GET", "/jobs?cursor=", 422, "invalid_cursor", id="empty cursor"),
        pytest.param("GET", "/jobs?cursor=%00", 422, "invalid_cursor", id="NUL for a cursor"),
    ],
)
def test_request_that_asks_for_nothing_known_is_a_problem(
    api: api_fixtures.Api, method: str, path: str, status: int, code: str
) -> None:
    found = problem(api.http.request(method, path))
    assert (found.status, found.code) == (status, code)


def test_method_that_is_not_allowed_is_answered_with_those_that_are(api: api_fixtures.Api) -> None:
    assert api.http.put("/jobs").headers["allow"] in ("POST", "GET", "GET, POST")


def test_several_wrong_fields_are_all_named(api: api_fixtures.Api) -> None:
    found = problem(api.http.post("/jobs", json={"file_name": "", "priority": "now", "size_bytes": "much"}))
    assert {one.field for one in found.errors} == {"file_name", "priority", "size_bytes"}


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"metadata": {str(number): number for number in range(20_000)}}, id="metadata"),
        pytest.param({"workflow": "summarize_only", "transcript": [{}] * 200_000}, id="segments"),
        pytest.param({str(number): number for number in range(20_000)}, id="unknown fields"),
        pytest.param({"source_language": "x-" * 100_000}, id="language"),
    ],
)
def test_problem_stays_small_however_much_is_wrong(api: api_fixtures.Api, wrong: dict[str, Any]) -> None:
    answer = api.http.post("/jobs", json={"file_name": "a"} | wrong)
    found = problem(answer)
    assert found.status == 422
    assert 1 <= len(found.errors) <= problems.MOST_FIELD_ERRORS
    assert len(answer.content) < 20_000


def test_problem_says_how_much_more_is_wrong(api: api_fixtures.Api) -> None:
    many = {str(number): number for number in range(problems.MOST_FIELD_ERRORS + 7)}
    found = problem(api.http.post("/jobs", json={"file_name": "a", "metadata": many}))
    assert found.detail.endswith("; and 7 more")


def test_problem_never_repeats_what_was_sent(api: api_fixtures.Api) -> None:
    answer = api.http.post("/jobs", json={"file_name": {"secret": "hunter2"}})
    assert "hunter2" not in answer.text


def test_store_that_is_away_is_503_with_a_time_to_come_again(api: api_fixtures.Api) -> None:
    job_id = api.create()["job_id"]
    api.store.away = True
    for method, path in (("GET", "/jobs"), ("GET", f"/jobs/{job_id}"), ("POST", f"/jobs/{job_id}/start")):
        answer = api.http.request(method, path)
        assert problem(answer).code is ProblemCode.STORE_UNAVAILABLE
        assert int(answer.headers["retry-after"]) > 0


def test_storage_that_is_away_is_503_and_makes_no_job(api: api_fixtures.Api) -> None:
    api.blobs.away = True
    answer = api.http.post("/jobs", json={"file_name": "a.mp3"})
    assert problem(answer).code is ProblemCode.STORAGE_UNAVAILABLE
    assert "retry-after" in answer.headers
    api.blobs.away = False
    assert api.http.get("/jobs").json()["jobs"] == []


def test_what_nobody_expected_is_500_with_the_id_that_the_log_has(
    api: api_fixtures.Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[dict[str, Any]] = []
    monkeypatch.setattr(problems.log, "error", lambda event, **ids: logged.append({"event": event, **ids}))

    def broken(_job_id: str) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(api.store, "find", broken)
    answer = api.http.get(f"/jobs/{UNKNOWN}")
    found = problem(answer)
    assert (found.status, found.code) == (500, "internal_error")
    assert "secret" not in answer.text
    assert found.instance == f"urn:uuid:{logged[0]['error_id']}"
    assert isinstance(logged[0]["exc_info"], ZeroDivisionError)


def test_every_problem_code_has_a_status() -> None:
    assert set(problems.STATUS) == set(ProblemCode)


def test_every_answer_of_an_error_is_documented_as_a_problem(api: api_fixtures.Api) -> None:
    described = api.http.get("/openapi.json").json()
    assert "HTTPValidationError" not in json.dumps(described)
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                if path.startswith("/jobs") and int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], (method, path, status)
