"""HTTP functions, answered by a real host over a real socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration import azurite_process
from tests.integration.functions_host import host_process, sample_app


@pytest.fixture(scope="module")
def host(
    azurite: azurite_process.AzuriteProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[host_process.HostProcess]:
    folder = sample_app.Folder(path=tmp_path_factory.mktemp("host"), azurite=azurite)
    limits = {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1000", "FUNCTIONS_HOST_RESPONSE_LIMIT_SECONDS": "1"}
    with host_process.running_host(folder.settings(**limits)) as running:
        yield running


@pytest.fixture
def client(host: host_process.HostProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=host.base_url, timeout=20) as http:
        yield http


def test_request_arrives_whole_and_answer_comes_back_whole(client: httpx.Client) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = client.post(
        "/echo/a%20b?x=1&x=2&y=", content="héllo".encode(), headers={"X-Thing": "t", "traceparent": trace}
    )
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2; HttpOnly; Path=/"]
    assert answer.json() == {
        "url": f"{client.base_url}/echo/a%20b?x=1&x=2&y=".replace("//echo", "/echo"),
        "method": "POST",
        "route": {"name": "a b"},
        # One text per name, as the real host hands them over.
        "query": {"x": "1,2", "y": ""},
        "header": "t",
        "body": "héllo",
        "function": "echo",
        "trace_parent": trace,
    }


def test_exception_is_a_500_that_tells_nothing(client: httpx.Client, host: host_process.HostProcess) -> None:
    answer = client.get("/fails")
    assert (answer.status_code, answer.json()) == (500, {"error": {"code": "internal_error"}})
    failures = host_process.wait_for(lambda: host.events("function_failed"))
    assert any("the secret reason" in event["exception"] for event in failures)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        # nothing else claims it
        ("GET", "/a/b/c", "else a/b/c"),
        ("GET", "/", "else "),
        # the specific route does not take this method
        ("GET", "/echo/x", "else echo/x"),
    ],
)
def test_catch_all_gets_what_no_other_route_takes(
    client: httpx.Client, method: str, path: str, expected: str
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.text) == (404, expected)


def test_web_framework_behind_the_middleware_sees_the_request_as_it_was(client: httpx.Client) -> None:
    answer = client.post("/web/jobs/a%2Fb?limit=3", content=b"x")
    assert answer.status_code == 404, "an encoded slash is a slash to the middleware"
    answer = client.post("/web/jobs/j%C3%A9?limit=3", content=b"hi")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"job": "jé", "limit": 3, "body": "hi"}
    assert client.post("/web/jobs/j?limit=x").status_code == 422
    assert client.get("/web/jobs/j").status_code == 405


def test_body_over_the_limit_is_refused(client: httpx.Client) -> None:
    assert client.post("/echo/x", content=b"x" * 1000).status_code == 201
    assert client.post("/echo/x", content=iter([b"x" * 1000])).status_code == 201
    # announced, and sent in chunks
    for content in (b"x" * 1001, iter([b"x" * 1000, b"x"])):
        answer = client.post("/echo/x", content=content)
        assert (answer.status_code, answer.json()) == (413, {"error": {"code": "request_too_large"}})


def test_path_that_is_not_utf8_is_refused(client: httpx.Client) -> None:
    answer = client.get("/a/%ff")
    assert (answer.status_code, answer.json()) == (400, {"error": {"code": "path_not_utf8"}})


def test_late_answer_is_cut_while_the_function_goes_on(
    azurite: azurite_process.AzuriteProcess, tmp_path: Path
) -> None:
    folder = sample_app.Folder(path=tmp_path, azurite=azurite)
    limits = {"FUNCTIONS_HOST_RESPONSE_LIMIT_SECONDS": "0.2", "AzureFunctionsJobHost__functionTimeout": "-1"}
    with host_process.running_host(folder.settings(**limits)) as host:
        answer = httpx.get(f"{host.base_url}/held/late", timeout=20)
        assert (answer.status_code, answer.json()) == (504, {"error": {"code": "response_timed_out"}})
        assert host.counts()["functions"]["held"]["in_flight"] == 1
        folder.release("late")
        host_process.wait_for(lambda: host.counts()["functions"]["held"]["in_flight"] == 0)
        assert host.counts()["functions"]["held"]["failures"] == 0


def test_function_over_its_timeout_fails_and_is_counted(
    client: httpx.Client, host: host_process.HostProcess
) -> None:
    before = host.counts()["functions"]["slow"]["failures"]
    client.get("/slow/60")
    host_process.wait_for(lambda: host.counts()["functions"]["slow"]["failures"] == before + 1)
    assert any(
        "ran longer than functionTimeout" in event["exception"] for event in host.events("function_failed")
    )


def test_half_a_request_starts_nothing(client: httpx.Client, host: host_process.HostProcess) -> None:
    before = host.counts()["functions"]["echo"]["invocations"]
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=5) as half:
        half.sendall(b"POST /echo/x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
    assert client.post("/echo/y").status_code == 201
    assert host.counts()["functions"]["echo"]["invocations"] == before + 1


def test_answer_is_not_held_back_by_nagle_s_algorithm(client: httpx.Client) -> None:
    # The quickest of several, since the machine may be busy; held back, each one takes 40 ms and more.
    assert min(client.post("/echo/x", content=b"x").elapsed.total_seconds() for _ in range(20)) < 0.03


@pytest.mark.parametrize("path", ["/admin/host/counts", "/counts"])
def test_counts_name_every_function(client: httpx.Client, path: str) -> None:
    counted = client.get(path).json()
    assert counted["functions"]["worked"] == {
        "trigger": "serviceBusTrigger",
        "invocations": 0,
        "failures": 0,
        "in_flight": 0,
        "put_aside": 0,
    }
    assert counted["put_aside_blobs"] == []


def test_status_is_running(client: httpx.Client) -> None:
    assert client.get("/admin/host/status").json() == {"state": "Running"}


def test_ignored_keys_of_host_json_are_named_once(host: host_process.HostProcess) -> None:
    (event,) = host.events("host_json_keys_ignored")
    assert event["keys"] == ["extensions.serviceBus.notAKeyEither", "notAKey"]


def test_orchestration_starts_over_http_takes_an_event_and_ends(client: httpx.Client) -> None:
    started = client.post("/start/one-1", content=json.dumps({"number": 20}))
    assert started.status_code == 202
    links = started.json()

    def status() -> httpx.Response:
        return client.get(links["statusQueryGetUri"])

    assert status().json()["runtimeStatus"] in ("Pending", "Running")
    event_url = links["sendEventPostUri"].replace("{eventName}", "go.1.1")
    assert client.post(event_url, json={"from": "outside"}).status_code == 202
    host_process.wait_for(lambda: status().status_code == 200, what="the orchestration's end")
    ended = status().json()
    assert ended["runtimeStatus"] == "Completed"
    assert ended["output"] == {"total": 41, "event": {"from": "outside"}}
