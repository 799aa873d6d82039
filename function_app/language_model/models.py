"""The language model that a run chose, built from this process's settings.

openai and sumy are imported when a run first needs them: together they take longer than everything else that
the function app imports, and a cold start waits for it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from contracts import params
from contracts.errors import ErrorCode
from function_app import errors, run_inputs, settings
from function_app.language_model import model

if TYPE_CHECKING:
    import openai

_AZURE_HOSTS: Final = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")
_AZURE_SCOPE: Final = "https://ai.azure.com/.default"


def build(choice: run_inputs.LanguageModelChoice, read: settings.Settings) -> model.LanguageModel:
    """Raises LanguageModelError when the endpoint that the run began with is configured no longer."""
    if choice.engine is params.LanguageModelEngine.EXTRACTIVE:
        return _extractive()
    if read.language_model_base_url is None:
        raise errors.LanguageModelError(
            code=ErrorCode.LANGUAGE_MODEL_REJECTED,
            message="The language model that the run began with is configured no longer: "
            "set LANGUAGE_MODEL_BASE_URL.",
        )
    return _openai(choice.model, read)


def _extractive() -> model.LanguageModel:
    from function_app.language_model import extractive_model

    return extractive_model.ExtractiveModel()


def _openai(name: str, read: settings.Settings) -> model.LanguageModel:
    from function_app.language_model import chat, openai_model

    return openai_model.OpenAIModel(endpoint=chat.Chat(client=_client(read), model=name))


@functools.lru_cache(maxsize=4)
def _client(read: settings.Settings) -> openai.OpenAI:
    """One per process: it keeps connections, and threads may share it."""
    import openai

    return openai.OpenAI(
        base_url=read.language_model_base_url,
        api_key=_api_key(read),
        timeout=read.language_model_timeout_seconds,
        # The SDK would sleep in this process, paid and lost when it is killed.
        max_retries=0,
    )


def _api_key(read: settings.Settings) -> str | Callable[[], str]:
    if read.language_model_api_key:
        return read.language_model_api_key.get_secret_value()
    host = urlsplit(read.language_model_base_url or "").hostname or ""
    if str(host).endswith(_AZURE_HOSTS):
        return _entra_token()
    return "none"


def _entra_token() -> Callable[[], str]:
    from azure.identity import DefaultAzureCredential, get_bearer_token_provider

    return get_bearer_token_provider(DefaultAzureCredential(), _AZURE_SCOPE)
