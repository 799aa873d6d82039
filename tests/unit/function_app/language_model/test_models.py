"""Which model a run gets, and that nobody waits for one who does not use it."""

from __future__ import annotations

import subprocess
import sys

import pydantic
import pytest

from contracts import params
from contracts.errors import ErrorCode
from function_app import errors, run_inputs
from function_app.language_model import extractive_model, models, openai_model
from tests.unit.function_app.orchestrators.test_runs import read_settings


def choice(engine: params.LanguageModelEngine) -> run_inputs.LanguageModelChoice:
    return run_inputs.LanguageModelChoice(engine=engine, model="m", prompt_revision="1")


def test_run_gets_the_engine_that_it_chose() -> None:
    read = read_settings(language_model_base_url="http://127.0.0.1:1/v1", language_model_api_key="k")
    extractive = models.build(choice(params.LanguageModelEngine.EXTRACTIVE), read)
    assert isinstance(extractive, extractive_model.ExtractiveModel)
    model = models.build(choice(params.LanguageModelEngine.OPENAI), read)
    assert isinstance(model, openai_model.OpenAIModel)
    assert model.endpoint.client.api_key == "k"


def test_endpoint_that_is_configured_no_longer_is_said_to_be() -> None:
    with pytest.raises(errors.LanguageModelError, match="LANGUAGE_MODEL_BASE_URL") as caught:
        models.build(choice(params.LanguageModelEngine.OPENAI), read_settings())
    assert caught.value.code == ErrorCode.LANGUAGE_MODEL_REJECTED
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "address", ["localhost:8099/v1", "http://[bad/v1", "ftp://host/v1", "http://h:99999"]
)
def test_address_that_is_none_is_refused_when_the_app_starts(address: str) -> None:
    with pytest.raises(pydantic.ValidationError, match="language_model_base_url"):
        read_settings(language_model_base_url=address)


def test_cold_start_imports_no_language_model() -> None:
    code = "import sys, function_app; print([m for m in ('openai', 'sumy', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
