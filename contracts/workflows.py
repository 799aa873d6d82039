"""Workflows as data: which steps, under which condition, and what their failure means.

A new step is a row here, a message type and an engine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from contracts.jobs import Workflow
from contracts.steps import Step


class Condition(StrEnum):
    """When a step of a workflow is done; otherwise it is `skipped` with its reason."""

    ALWAYS = "always"
    LANGUAGE_UNKNOWN = "language_unknown"
    """Only when the caller gave no `source_language`."""
    LANGUAGE_DIFFERS_FROM_TARGET = "language_differs_from_target"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One step of a workflow."""

    step: Step
    condition: Condition = Condition.ALWAYS
    essential: bool = True
    """Its failure fails the job; the failure of one that is not leaves the job `partial_complete`."""


STAGES: Final[Mapping[Workflow, tuple[tuple[Stage, ...], ...]]] = MappingProxyType(
    {
        Workflow.FULL_PIPELINE: (
            (Stage(step=Step.PREPARE),),
            (Stage(step=Step.LID, condition=Condition.LANGUAGE_UNKNOWN),),
            (Stage(step=Step.TRANSCRIBE),),
            (
                Stage(
                    step=Step.TRANSLATE,
                    condition=Condition.LANGUAGE_DIFFERS_FROM_TARGET,
                    essential=False,
                ),
                Stage(step=Step.SUMMARIZE, essential=False),
            ),
        ),
        Workflow.TRANSCRIBE_ONLY: ((Stage(step=Step.PREPARE),), (Stage(step=Step.TRANSCRIBE),)),
        Workflow.LID_ONLY: ((Stage(step=Step.PREPARE),), (Stage(step=Step.LID),)),
        Workflow.TRANSLATE_ONLY: ((Stage(step=Step.TRANSLATE),),),
        Workflow.SUMMARIZE_ONLY: ((Stage(step=Step.SUMMARIZE),),),
    }
)
"""Workflow to groups of stages: groups follow one another, the stages of a group run side by side."""


def steps_of(workflow: Workflow) -> tuple[Step, ...]:
    """Every step that a run of `workflow` may have, in the order in which they start."""
    return tuple(stage.step for group in STAGES[workflow] for stage in group)


def starts_from_text(workflow: Workflow) -> bool:
    """True for workflows that begin with a transcript; the others begin with a recording."""
    return Step.PREPARE not in steps_of(workflow)
