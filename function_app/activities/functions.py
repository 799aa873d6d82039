"""The activities as Durable sees them: JSON in, JSON out, at least once, each in a thread of its own."""

from collections.abc import Callable
from typing import Final, TypeVar

from azure.durable_functions import Blueprint

from function_app import run_inputs, services
from function_app.activities import answers, dispatch, ends, giving, language_steps, merging, records

blueprint = Blueprint()

_F = TypeVar("_F", bound=run_inputs.Facts)
_Activity = Callable[[services.Services, _F], answers.Answer]

INPUT: Final = "given"


def _register(activity: _Activity[_F], form: type[_F]) -> None:
    """Under its own name. Annotations are plain: the Functions worker compares them with classes."""

    def function(given: dict) -> dict:  # type: ignore[type-arg] # see above
        return activity(services.current(), form.model_validate(given))

    function.__name__ = activity.__name__
    blueprint.activity_trigger(input_name=INPUT)(function)


def _register_all() -> None:
    _register(records.begin_run, run_inputs.RunIdentity)
    _register(dispatch.dispatch_step, run_inputs.StepCall)
    _register(dispatch.reconcile_step, run_inputs.StepCall)
    _register(records.begin_transcription, run_inputs.TranscriptionStart)
    _register(records.record_step, run_inputs.StepReport)
    _register(records.record_chunk, run_inputs.ChunkReport)
    _register(records.skip_step, run_inputs.StepSkip)
    _register(merging.merge_transcript, run_inputs.TranscriptCall)
    _register(giving.take_transcript, run_inputs.GivenTranscriptCall)
    _register(language_steps.translate, run_inputs.LanguageModelCall)
    _register(language_steps.summarize, run_inputs.LanguageModelCall)
    _register(ends.finish_run, run_inputs.RunEndCall)
    _register(ends.fail_run, run_inputs.RunEndCall)


_register_all()
