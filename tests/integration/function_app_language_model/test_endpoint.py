"""The client as the settings make it: what it sleeps over itself, whom it tells what, what it logs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import azure.identity
import pytest
from azure.core.exceptions import ClientAuthenticationError

from contracts import params
from contracts.errors import ErrorCode
from function_app import errors, run_inputs
from function_app.language_model import endpoint, model, models
from tests.fakes import language_model_server as fake
from tests.fakes.language_model_server import Behaviour
from tests.unit.function_app.orchestrators.test_runs import read_settings

from .test_openai_model import progress_of, segments

CHOICE = run_inputs.LanguageModelChoice(
    engine=params.LanguageModelEngine.OPENAI, model="translate", prompt_revision="1"
)


@pytest.fixture
def server() -> Iterator[fake.Server]:
    with fake.serve() as served:
        yield served


def build(server: fake.Server, **changes: Any) -> model.LanguageModel:
    return models.build(CHOICE, read_settings(**{"language_model_base_url": server.base_url, **changes}))


def translate(built: model.LanguageModel, text: str = "Hola.") -> dict[int, str]:
    return built.translate(segments(text), source_language="es", target_language="en", done=progress_of())


def failure(built: model.LanguageModel) -> errors.LanguageModelError:
    with pytest.raises(errors.LanguageModelError) as caught:
        translate(built)
    return caught.value


def test_short_pause_that_the_endpoint_asks_for_is_slept_over_by_the_sdk(server: fake.Server) -> None:
    server.retry_after = "0.05"
    server.script.extend([Behaviour.RATE_LIMITED] * endpoint.SDK_RETRIES)
    assert translate(build(server)) == {0: "[en] Hola."}
    assert len(server.calls) == 1 + endpoint.SDK_RETRIES


def test_short_pause_that_is_asked_for_again_and_again_is_left_to_the_orchestrator(
    server: fake.Server,
) -> None:
    server.retry_after = "0.05"
    server.script.extend([Behaviour.RATE_LIMITED] * (1 + endpoint.SDK_RETRIES))
    caught = failure(build(server))
    assert (caught.code, caught.retry_after_seconds) == (ErrorCode.LANGUAGE_MODEL_RATE_LIMITED, 0.05)
    assert len(server.calls) == 1 + endpoint.SDK_RETRIES


@pytest.mark.parametrize("retry_after", ["5.5", "30", "86400", None])
def test_longer_pause_is_the_orchestrators_at_once(server: fake.Server, retry_after: str | None) -> None:
    server.retry_after = retry_after
    server.script.append(Behaviour.RATE_LIMITED)
    assert failure(build(server)).code == ErrorCode.LANGUAGE_MODEL_RATE_LIMITED
    assert len(server.calls) == 1


@pytest.mark.parametrize("behaviour", [Behaviour.SERVER_ERROR, Behaviour.DISCONNECT, Behaviour.HANG])
def test_endpoint_that_is_away_is_not_called_again_here(server: fake.Server, behaviour: Behaviour) -> None:
    server.script.append(behaviour)
    timeout = 0.5 if behaviour is Behaviour.HANG else 60
    caught = failure(build(server, language_model_timeout_seconds=timeout))
    assert caught.code == ErrorCode.LANGUAGE_MODEL_UNAVAILABLE
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("changes", "authorization"),
    [
        ({}, "Bearer none"),
        ({"language_model_api_key": "sk-1"}, "Bearer sk-1"),
        # From a file, with its line end.
        ({"language_model_api_key": "sk-1\n"}, "Bearer sk-1"),
    ],
)
def test_key_goes_out_as_a_bearer_token(
    server: fake.Server, changes: dict[str, str], authorization: str
) -> None:
    translate(build(server, **changes))
    (call,) = server.calls
    assert (call["path"], call["authorization"]) == ("/v1/chat/completions", authorization)


def test_key_that_no_header_can_carry_is_said_to_be(server: fake.Server) -> None:
    caught = failure(build(server, language_model_api_key="sk-ü€"))
    assert caught.code == ErrorCode.LANGUAGE_MODEL_REJECTED
    assert "LANGUAGE_MODEL_API_KEY" in str(caught)
    assert "sk-" not in str(caught)


class Identity:
    """Azure's, in memory: each token is another, or there is none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scopes: list[str] = []
        self.given = 0
        self.is_away = False
        monkeypatch.setattr(azure.identity, "DefaultAzureCredential", lambda: None)
        monkeypatch.setattr(azure.identity, "get_bearer_token_provider", self._provider)
        # The fake stands on loopback.
        monkeypatch.setattr(endpoint, "_AZURE_HOSTS", ("127.0.0.1",))

    def _provider(self, credential: object, *scopes: str) -> Callable[[], str]:
        del credential
        self.scopes += scopes

        def token() -> str:
            if self.is_away:
                raise ClientAuthenticationError("secret details of the identity")
            self.given += 1
            return f"token-{self.given}"

        return token


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Identity:
    return Identity(monkeypatch)


def azure_settings(server: fake.Server) -> dict[str, str]:
    return {"language_model_base_url": f"http://127.0.0.1:{server.port}/openai/v1"}


def test_azure_without_a_key_gets_a_fresh_entra_token_each_time(
    server: fake.Server, identity: Identity
) -> None:
    built = build(server, **azure_settings(server))
    translate(built)
    translate(built)
    assert identity.scopes == ["https://ai.azure.com/.default"]
    assert [call["authorization"] for call in server.calls] == ["Bearer token-1", "Bearer token-2"]
    assert {(call["path"], call["model"]) for call in server.calls} == {
        ("/openai/v1/chat/completions", "translate")
    }


def test_azure_without_a_token_is_unavailable_and_says_what_to_do(
    server: fake.Server, identity: Identity
) -> None:
    identity.is_away = True
    caught = failure(build(server, **azure_settings(server)))
    assert caught.code == ErrorCode.LANGUAGE_MODEL_UNAVAILABLE
    assert "Cognitive Services OpenAI User" in str(caught)
    assert "secret" not in str(caught)


@pytest.mark.parametrize(
    ("key", "headers"), [("k", ("k", None)), (None, (None, "Bearer token-1"))], ids=["key", "token"]
)
def test_api_version_calls_the_deployment_by_its_path(
    server: fake.Server, identity: Identity, key: str | None, headers: tuple[str | None, str | None]
) -> None:
    changes: dict[str, Any] = {
        "language_model_base_url": f"http://127.0.0.1:{server.port}/openai",
        "language_model_api_version": "2024-10-21",
        "language_model_api_key": key,
    }
    server.retry_after = "0.05"
    server.script.append(Behaviour.RATE_LIMITED)
    assert translate(build(server, **changes)) == {0: "[en] Hola."}
    call = server.calls[0]
    assert call["path"] == "/openai/deployments/translate/chat/completions?api-version=2024-10-21"
    assert (call["api_key"], call["authorization"]) == headers
    assert identity.scopes == ([] if key else ["https://cognitiveservices.azure.com/.default"])


def test_neither_key_nor_transcript_is_logged_at_any_level(
    server: fake.Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.retry_after = "0.05"
    server.script.extend([Behaviour.RATE_LIMITED, Behaviour.NOT_JSON, Behaviour.OK, Behaviour.REFUSAL])
    built = build(server, language_model_api_key="sk-hidden")
    with caplog.at_level(logging.DEBUG):
        translate(built, "Una palabra secreta.")
        failure(built)
    logged = caplog.text + "".join(repr(record.args) for record in caplog.records)
    assert caplog.records
    assert "sk-hidden" not in logged
    assert "secreta" not in logged
