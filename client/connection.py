"""HTTP to the API: bounded time-outs, retries, and answers turned into values or errors."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TypeVar

import httpx
import pydantic

from client import errors, retries
from contracts import api

Answer = TypeVar("Answer", bound=pydantic.BaseModel)

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
UPLOAD_TIMEOUT = httpx.Timeout(120.0, connect=5.0)


class Connection:
    """One server's API. Safe to share between threads, as httpx's client is."""

    def __init__(
        self,
        base_url: str,
        *,
        policy: retries.RetryPolicy | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = _checked(base_url).rstrip("/")
        self.policy = policy or retries.RetryPolicy()
        self._sleep = sleep
        # A proxy meant for the outside world cannot reach this machine's own addresses.
        trust_environment = not is_loopback(self.base_url)
        self.http = httpx.Client(
            timeout=TIMEOUT, transport=transport, trust_env=trust_environment, follow_redirects=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.http.close()

    def ask(
        self,
        model: type[Answer],
        method: str,
        path: str,
        *,
        body: pydantic.BaseModel | None = None,
        query: Mapping[str, str | int] | None = None,
        job_id: str | None = None,
    ) -> Answer:
        """The answer as `model`.

        Raises ServerUnreachableError, ServerBusyError, RequestRefusedError or UnexpectedAnswerError.
        """
        response = self._send(method, path, body=body, query=query, job_id=job_id)
        if not response.is_success:
            raise self._failure(response, job_id=job_id)
        try:
            return model.model_validate_json(response.content)
        except pydantic.ValidationError as error:
            raise errors.UnexpectedAnswerError(
                f"{method} {response.url} answered {response.status_code} with something that is not "
                f"{model.__name__}: is this server a Speech Flow of another version?",
                job_id=job_id,
            ) from error

    def tell(self, method: str, path: str, *, job_id: str) -> None:
        """Send a request whose answer is not needed. Raises as `ask` does."""
        response = self._send(method, path, body=None, query=None, job_id=job_id)
        if not response.is_success:
            raise self._failure(response, job_id=job_id)

    def retrying(
        self,
        attempt: Callable[[], httpx.Response],
        *,
        again: tuple[type[httpx.TransportError], ...],
        busy: frozenset[int] = retries.BUSY_STATUSES,
    ) -> httpx.Response:
        """The first answer that is not in `busy`, or the last one; transport errors in `again` count as busy.

        Raises the last transport error.
        """
        for planned_seconds in self.policy.waits():
            response: httpx.Response | None = None
            try:
                response = attempt()
            except again:
                self._sleep(planned_seconds)
                continue
            if response.status_code not in busy:
                return response
            self._sleep(self.policy.pause(planned_seconds, response))
        return attempt()

    def _send(
        self,
        method: str,
        path: str,
        *,
        body: pydantic.BaseModel | None,
        query: Mapping[str, str | int] | None,
        job_id: str | None,
    ) -> httpx.Response:
        content = None if body is None else body.model_dump_json(exclude_none=True)
        headers = {"accept": "application/json, application/problem+json"}
        if content is not None:
            headers["content-type"] = "application/json"

        def attempt() -> httpx.Response:
            return self.http.request(
                method, f"{self.base_url}{path}", content=content, headers=headers, params=query
            )

        # A request to create a job that may have arrived is not sent twice: it would make two jobs.
        again = _NEVER_ARRIVED if body is not None else (httpx.TransportError,)
        try:
            return self.retrying(attempt, again=again)
        except httpx.TransportError as error:
            raise errors.ServerUnreachableError(self.base_url, job_id=job_id) from error

    def _failure(self, response: httpx.Response, *, job_id: str | None) -> errors.SpeechFlowError:
        try:
            problem = api.Problem.model_validate_json(response.content)
        except pydantic.ValidationError:
            problem = None
        if response.status_code in retries.BUSY_STATUSES:
            reason = problem.detail if problem else f"it answers {response.status_code}"
            return errors.ServerBusyError(f"Speech Flow cannot answer now: {reason}", job_id=job_id)
        if problem is not None:
            return errors.refusal(problem, job_id=job_id)
        return errors.UnexpectedAnswerError(
            f"{response.request.method} {response.url} answered {response.status_code} without saying why.",
            job_id=job_id,
        )


_NEVER_ARRIVED: tuple[type[httpx.TransportError], ...] = (httpx.ConnectError, httpx.ConnectTimeout)


def _checked(url: str) -> str:
    """The address as given. Raises InvalidValueError when no server can have it."""
    try:
        known = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise errors.InvalidValueError(f"{url} is not an address: {error}.") from error
    if known.scheme not in ("http", "https") or not known.host:
        raise errors.InvalidValueError(f"{url} is not the address of a server: write it as http://HOST:PORT.")
    return url


def is_loopback(url: str) -> bool:
    """True when the address is this machine's own."""
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
