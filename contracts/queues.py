"""Service Bus queues, and which of them carries which step."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from contracts.steps import Step


class Queue(StrEnum):
    """A queue's name in every environment."""

    LID_JOBS = "lid-jobs"
    WHISPER_JOBS = "whisper-jobs"
    JOB_EVENTS = "job-events"


QUEUE_OF_STEP: Final[Mapping[Step, Queue]] = MappingProxyType(
    {Step.PREPARE: Queue.LID_JOBS, Step.LID: Queue.LID_JOBS, Step.TRANSCRIBE: Queue.WHISPER_JOBS}
)
"""Steps that workers do. The others are activities of the function app."""

DEAD_LETTER_SUFFIX: Final = "/$DeadLetterQueue"


def dead_letter_queue(queue: Queue) -> str:
    """The path under which the queue's dead letters are received."""
    return f"{queue}{DEAD_LETTER_SUFFIX}"
