"""Steps: the kinds of work, their statuses, and which status may follow which."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Step(StrEnum):
    """One kind of work."""

    PREPARE = "prepare"
    LID = "lid"
    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"
    SUMMARIZE = "summarize"


class StepStatus(StrEnum):
    """Where a step of a run stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


TRANSITIONS: Final[Mapping[StepStatus, frozenset[StepStatus]]] = MappingProxyType(
    {
        StepStatus.PENDING: frozenset(
            {StepStatus.PROCESSING, StepStatus.SKIPPED, StepStatus.CANCELLED, StepStatus.FAILED}
        ),
        StepStatus.PROCESSING: frozenset(
            {StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.CANCELLED}
        ),
        StepStatus.COMPLETED: frozenset(),
        StepStatus.FAILED: frozenset(),
        StepStatus.SKIPPED: frozenset(),
        StepStatus.CANCELLED: frozenset(),
    }
)
"""Which statuses may follow within one run; a retry stays `processing` under a new attempt."""

TERMINAL: Final[frozenset[StepStatus]] = frozenset(
    status for status, followers in TRANSITIONS.items() if not followers
)


def may_follow(current: StepStatus, following: StepStatus) -> bool:
    """True when a step in `current` may go to `following`; a status never follows itself."""
    return following in TRANSITIONS[current]
