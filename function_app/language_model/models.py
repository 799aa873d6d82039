"""The language model that a run chose, built from this process's settings.

openai and sumy are imported when a run first needs them: together they take longer than everything else that
the function app imports, and a cold start waits for it.
"""

from __future__ import annotations

from contracts import params
from contracts.errors import ErrorCode
from function_app import errors, run_inputs, settings
from function_app.language_model import model


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
    from function_app.language_model import chat, endpoint, openai_model

    return openai_model.OpenAIModel(endpoint=chat.Chat(client=endpoint.client(read), model=name))
