"""A language model's endpoint on loopback: real HTTP, scripted answers.

    python -m tests.fakes.language_model_server --port 8099

answers /v1/chat/completions for ever: translations as `[en] …` with the words kept, summaries as the first
words of the text. In tests, `serve()` gives a server whose next answers are scripted one by one.
"""

# ruff: noqa: ARG002 - every behaviour is called alike
from __future__ import annotations

import argparse
import contextlib
import enum
import json
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_TARGET = re.compile(r"into .*?\(([A-Za-z-]+)\)")
_DATA = re.compile(r"<transcript>\n(.*)\n</transcript>", re.DOTALL)


class Behaviour(enum.StrEnum):
    """What one call gets."""

    OK = "ok"
    RATE_LIMITED = "rate_limited"
    QUOTA_USED_UP = "quota_used_up"
    REFUSAL = "refusal"
    CONTENT_FILTER = "content_filter"
    CONTENT_FILTER_400 = "content_filter_400"
    TOO_LONG = "too_long"
    TOO_LONG_IN_WORDS = "too_long_in_words"
    TRUNCATED = "truncated"
    NOT_JSON = "not_json"
    FENCED = "fenced"
    WRONG_IDS = "wrong_ids"
    NO_CHOICES = "no_choices"
    NO_MESSAGE = "no_message"
    WEB_PAGE = "web_page"
    BROKEN_BODY = "broken_body"
    SERVER_ERROR = "server_error"
    UNAUTHORIZED = "unauthorized"
    HANG = "hang"
    DISCONNECT = "disconnect"


@dataclass
class Server:
    """Its calls and what comes next; with nothing scripted every call is answered well."""

    port: int
    script: deque[Behaviour] = field(default_factory=deque)
    calls: list[dict[str, Any]] = field(default_factory=list)
    retry_after: str | None = "30"
    window_characters: int | None = None
    """What the model takes of a question's data; longer ones are refused."""
    loses_digits: bool = False
    on_call: Callable[[], object] = lambda: None
    """Done before each answer."""
    released: threading.Event = field(default_factory=threading.Event)
    """Set when the server stops: calls that hang end then."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def base_url(self) -> str:
        """With the /v1 that clients want."""
        return f"http://127.0.0.1:{self.port}/v1"

    def next_behaviour(self, call: dict[str, Any]) -> Behaviour:
        """Notes the call."""
        with self.lock:
            self.calls.append(call)
            if self.script:
                return self.script.popleft()
        is_long = self.window_characters and len(call["messages"][1]["content"]) > self.window_characters
        return Behaviour.TOO_LONG if is_long else Behaviour.OK


def answer_text(call: dict[str, Any]) -> str:
    """A good answer: what the schema asks for, made from the data without any dictionary."""
    messages = call["messages"]
    data = json.loads(_DATA.findall(messages[1]["content"])[-1])
    form = call["response_format"]["json_schema"]["name"]
    if form == "TranslationAnswer":
        target = _TARGET.findall(messages[0]["content"])[0]
        segments = [{"id": one["id"], "text": f"[{target}] {one['text']}"} for one in data["segments"]]
        return json.dumps({"segments": segments}, ensure_ascii=False)
    words = data["text"].split()
    summary = {"summary": " ".join(words[:20]), "key_points": [" ".join(words[:5])]}
    return json.dumps(summary, ensure_ascii=False)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HttpServer

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        call = json.loads(self.rfile.read(length))
        call["path"] = self.path
        call["authorization"] = self.headers.get("authorization")
        call["api_key"] = self.headers.get("api-key")
        behaviour = self.server.state.next_behaviour(call)
        self.server.state.on_call()
        getattr(self, f"_{behaviour.value}")(call)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # the base class's name
        """Quiet: what is interesting is in `calls`."""

    # One method per behaviour.

    def _ok(self, call: dict[str, Any]) -> None:
        text = answer_text(call)
        self._complete(re.sub(r"\d{2,}", "?", text) if self.server.state.loses_digits else text)

    def _fenced(self, call: dict[str, Any]) -> None:
        self._complete(f"```json\n{answer_text(call)}\n```")

    def _not_json(self, call: dict[str, Any]) -> None:
        self._complete("Certainly! Here is what you asked for.")

    def _wrong_ids(self, call: dict[str, Any]) -> None:
        answer = json.loads(answer_text(call))
        answer["segments"] = answer["segments"][1:]
        self._complete(json.dumps(answer))

    def _truncated(self, call: dict[str, Any]) -> None:
        self._complete('{"segments": [{"id": 0, "te', finish_reason="length")

    def _refusal(self, call: dict[str, Any]) -> None:
        self._complete(None, refusal="I cannot help with that.")

    def _content_filter(self, call: dict[str, Any]) -> None:
        verdicts = {"hate": {"filtered": False}, "violence": {"filtered": True, "severity": "high"}}
        self._complete("", finish_reason="content_filter", content_filter_results=verdicts)

    def _content_filter_400(self, call: dict[str, Any]) -> None:
        verdicts = {"self_harm": {"filtered": True}, "jailbreak": {"detected": False, "filtered": False}}
        inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": verdicts}
        self._error(400, "content_filter", innererror=inner)

    def _too_long(self, call: dict[str, Any]) -> None:
        self._error(400, "context_length_exceeded")

    def _too_long_in_words(self, call: dict[str, Any]) -> None:
        message = "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens."
        self._send(400, {"error": {"message": message, "type": "BadRequestError", "code": 400}})

    def _no_choices(self, call: dict[str, Any]) -> None:
        self._send(200, {"id": "1", "object": "chat.completion", "choices": []})

    def _no_message(self, call: dict[str, Any]) -> None:
        self._send(200, {"choices": [{"index": 0}]})

    def _web_page(self, call: dict[str, Any]) -> None:
        self._send(200, b"<html>Log in first.</html>", {"Content-Type": "text/html"})

    def _broken_body(self, call: dict[str, Any]) -> None:
        self._send(200, b'{"choices": [')

    def _rate_limited(self, call: dict[str, Any]) -> None:
        retry_after = self.server.state.retry_after
        self._error(429, "rate_limit_exceeded", {"Retry-After": retry_after} if retry_after else {})

    def _quota_used_up(self, call: dict[str, Any]) -> None:
        self._error(429, "insufficient_quota")

    def _server_error(self, call: dict[str, Any]) -> None:
        self._error(500, "server_error")

    def _unauthorized(self, call: dict[str, Any]) -> None:
        self._error(401, "invalid_api_key")

    def _hang(self, call: dict[str, Any]) -> None:
        self.server.state.released.wait(30)
        self.close_connection = True

    def _disconnect(self, call: dict[str, Any]) -> None:
        self.close_connection = True

    # Answers.

    def _complete(
        self,
        content: str | None,
        *,
        finish_reason: str = "stop",
        refusal: str | None = None,
        **more: Any,
    ) -> None:
        message = {"role": "assistant", "content": content, "refusal": refusal}
        choice = {"index": 0, "finish_reason": finish_reason, "message": message, **more}
        body = {"id": "1", "object": "chat.completion", "created": 0, "model": "fake", "choices": [choice]}
        self._send(200, body)

    def _error(self, status: int, code: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        self._send(status, {"error": {"message": "no", "type": code, "code": code, **more}}, headers)

    def _send(self, status: int, body: dict[str, Any] | bytes, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    state: Server


@contextlib.contextmanager
def serve(port: int = 0) -> Iterator[Server]:
    """A server on a free port, until the context ends."""
    with _HttpServer(("127.0.0.1", port), _Handler) as http:
        http.state = Server(port=http.server_address[1])
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield http.state
        finally:
            http.state.released.set()
            http.shutdown()
            thread.join()


def main() -> None:
    """Serves until it is interrupted; prints the base URL first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    with serve(parser.parse_args().port) as server:
        print(server.base_url, flush=True)  # noqa: T201 # a command prints
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
