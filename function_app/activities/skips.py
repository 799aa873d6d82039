"""Why a step was skipped, in a sentence for people."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from function_app import run_inputs
from function_app.language_model import names


def sentence(skip: run_inputs.StepSkip) -> str:
    """Says what would have to be different, where something can be."""
    return _SENTENCES[skip.reason](skip)


def _language(skip: run_inputs.StepSkip) -> str:
    return names.with_code(skip.language or "und")


_SENTENCES: Final[Mapping[run_inputs.SkipReason, Callable[[run_inputs.StepSkip], str]]] = MappingProxyType(
    {
        run_inputs.SkipReason.LANGUAGE_GIVEN: lambda skip: f"the language was given: {_language(skip)}",
        run_inputs.SkipReason.SAME_LANGUAGE: lambda skip: f"the recording is already in {_language(skip)}",
        run_inputs.SkipReason.NO_LANGUAGE_MODEL: lambda _: (
            "no language model is configured: set LANGUAGE_MODEL_BASE_URL to an OpenAI-compatible endpoint"
        ),
        run_inputs.SkipReason.NO_SPEECH: lambda _: "no speech was found",
        run_inputs.SkipReason.STEP_FAILED: lambda skip: f"{skip.failed_step or 'a step before it'} failed",
    }
)
