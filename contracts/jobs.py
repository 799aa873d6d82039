"""Jobs: their workflows, priorities, statuses, and which status may follow which."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Workflow(StrEnum):
    """What is wanted of a recording."""

    FULL_PIPELINE = "full_pipeline"
    TRANSCRIBE_ONLY = "transcribe_only"
    LID_ONLY = "lid_only"
    TRANSLATE_ONLY = "translate_only"
    SUMMARIZE_ONLY = "summarize_only"


class Priority(StrEnum):
    """Which work goes first when workers are short."""

    INTERACTIVE = "interactive"
    NORMAL = "normal"
    BULK = "bulk"


class JobStatus(StrEnum):
    """Where a job stands."""

    PENDING_UPLOAD = "pending_upload"
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    PARTIAL_COMPLETE = "partial_complete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


TRANSITIONS: Final[Mapping[JobStatus, frozenset[JobStatus]]] = MappingProxyType(
    {
        JobStatus.PENDING_UPLOAD: frozenset({JobStatus.QUEUED, JobStatus.EXPIRED, JobStatus.CANCELLED}),
        JobStatus.QUEUED: frozenset({JobStatus.PROCESSING, JobStatus.FAILED, JobStatus.CANCELLED}),
        JobStatus.PROCESSING: frozenset(
            {JobStatus.COMPLETED, JobStatus.PARTIAL_COMPLETE, JobStatus.FAILED, JobStatus.CANCELLED}
        ),
        JobStatus.COMPLETED: frozenset(),
        JobStatus.PARTIAL_COMPLETE: frozenset(),
        JobStatus.FAILED: frozenset(),
        JobStatus.CANCELLED: frozenset(),
        JobStatus.EXPIRED: frozenset(),
    }
)
"""Status to the statuses that may follow it within one run."""

TERMINAL: Final[frozenset[JobStatus]] = frozenset(
    status for status, followers in TRANSITIONS.items() if not followers
)
"""Statuses of a run that never change."""


def may_follow(current: JobStatus, following: JobStatus) -> bool:
    """True when a run in `current` may go to `following`; a status never follows itself."""
    return following in TRANSITIONS[current]
