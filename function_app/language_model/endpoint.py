"""The openai SDK's client for the endpoint that the settings name."""

import functools
import math
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2  # openai's own HTTP library
import openai

from function_app import settings
from function_app.language_model import classification

SDK_RETRIES: Final = 2
LONGEST_SDK_WAIT_SECONDS: Final = 5.0
"""A longer pause is the orchestrator's: it costs nothing and outlives this process."""

_AZURE_HOSTS: Final = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")
_AZURE_SCOPE: Final = "https://ai.azure.com/.default"
_AZURE_SCOPE_WITH_VERSION: Final = "https://cognitiveservices.azure.com/.default"
_NO_KEY: Final = "none"


class _HttpClient(openai.DefaultHttpxClient):
    """Leaves to the SDK's retries the short pauses that an endpoint over its quota asks for, no more.

    Tried again here, a call that timed out would hold its process for a multiple of its time-out.
    """

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Raises APITimeoutError and APIConnectionError, which the SDK hands on as they are."""
        try:
            response = super().send(request, **options)
        except httpx2.TimeoutException as error:
            raise openai.APITimeoutError(request=request) from error
        except httpx2.RequestError as error:
            raise openai.APIConnectionError(request=request) from error
        response.headers["x-should-retry"] = "true" if _asks_for_a_short_pause(response) else "false"
        return response

    def __del__(self) -> None:
        """As the SDK's own: a client that is forgotten leaves no connections open."""
        # No `contextlib.suppress`: when the process ends, modules may be gone before this client is.
        try:  # noqa: SIM105
            self.close()
        except Exception:  # noqa: BLE001, S110
            pass


def _asks_for_a_short_pause(response: httpx2.Response) -> bool:
    seconds = classification.retry_after_seconds(response.headers)
    pause = math.inf if seconds is None else seconds
    return response.status_code == httpx2.codes.TOO_MANY_REQUESTS and pause <= LONGEST_SDK_WAIT_SECONDS


@functools.lru_cache(maxsize=4)
def client(read: settings.Settings) -> openai.OpenAI:
    """One per process: it keeps connections, and threads may share it."""
    if read.language_model_api_version:
        return _with_api_version(read, read.language_model_api_version)
    return openai.OpenAI(
        base_url=read.language_model_base_url,
        api_key=_key(read) or _tokens(read, _AZURE_SCOPE) or _NO_KEY,
        timeout=read.language_model_timeout_seconds,
        max_retries=SDK_RETRIES,
        http_client=_HttpClient(),
    )


def _with_api_version(read: settings.Settings, api_version: str) -> openai.OpenAI:
    """Azure's older form: /deployments/{model}/chat/completions?api-version=…, the key in `api-key`."""
    key = _key(read)
    tokens = None if key else _tokens(read, _AZURE_SCOPE_WITH_VERSION)
    return openai.AzureOpenAI(
        base_url=read.language_model_base_url or "",
        api_version=api_version,
        api_key=None if tokens else key or _NO_KEY,
        azure_ad_token_provider=tokens,
        timeout=read.language_model_timeout_seconds,
        max_retries=SDK_RETRIES,
        http_client=_HttpClient(),
    )


def _key(read: settings.Settings) -> str | None:
    """Without the line end that a key read from a file has."""
    key = read.language_model_api_key
    return key.get_secret_value().strip() or None if key else None


def _tokens(read: settings.Settings, scope: str) -> Callable[[], str] | None:
    """Of Entra tokens, for Azure; None elsewhere."""
    host = urlsplit(read.language_model_base_url or "").hostname or ""
    return _entra_tokens(scope) if host.endswith(_AZURE_HOSTS) else None


def _entra_tokens(scope: str) -> Callable[[], str]:
    from azure.core.exceptions import AzureError
    from azure.identity import DefaultAzureCredential, get_bearer_token_provider

    provide = get_bearer_token_provider(DefaultAzureCredential(), scope)

    def token() -> str:
        try:
            return provide()
        except AzureError as error:
            raise classification.without_token() from error

    return token
