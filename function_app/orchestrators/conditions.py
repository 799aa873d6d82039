"""When a stage is skipped. Its condition in the workflow's table, and what the run lacks."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from contracts import languages, steps, workflows
from function_app import run_inputs
from function_app.orchestrators import flow as flows

_Reason = run_inputs.SkipReason | None


def skip_reason(stage: workflows.Stage, flow: flows.Flow) -> _Reason:
    """The first reason that holds; None when the stage is to be done."""
    if flow.fatal:
        return run_inputs.SkipReason.STEP_FAILED
    return _CONDITIONS[stage.condition](flow) or _LACKS.get(stage.step, _nothing)(flow)


def _nothing(flow: flows.Flow) -> _Reason:
    del flow
    return None


def _language_given(flow: flows.Flow) -> _Reason:
    return run_inputs.SkipReason.LANGUAGE_GIVEN if flow.start.source_language else None


def _same_language(flow: flows.Flow) -> _Reason:
    if flow.is_silent:
        return run_inputs.SkipReason.NO_SPEECH
    language = flow.language or languages.UNDETERMINED
    same = languages.same_language(language, flow.start.target_language)
    return run_inputs.SkipReason.SAME_LANGUAGE if same else None


def _silent(flow: flows.Flow) -> _Reason:
    return run_inputs.SkipReason.NO_SPEECH if flow.is_silent else None


def _cannot_translate(flow: flows.Flow) -> _Reason:
    without_model = run_inputs.SkipReason.NO_LANGUAGE_MODEL if flow.start.translate is None else None
    return _silent(flow) or without_model


_CONDITIONS: Final[Mapping[workflows.Condition, Callable[[flows.Flow], _Reason]]] = MappingProxyType(
    {
        workflows.Condition.ALWAYS: _nothing,
        workflows.Condition.LANGUAGE_UNKNOWN: _language_given,
        workflows.Condition.LANGUAGE_DIFFERS_FROM_TARGET: _same_language,
    }
)

_LACKS: Final[Mapping[steps.Step, Callable[[flows.Flow], _Reason]]] = MappingProxyType(
    {
        steps.Step.LID: _silent,
        steps.Step.TRANSLATE: _cannot_translate,
        steps.Step.SUMMARIZE: _silent,
    }
)
"""`transcribe` is not among them: a silent recording gets its empty transcript from it."""
