"""Names that several processes must build alike: instances, events, messages.

Ids keep to `[A-Za-z0-9_.:-]`: the Durable client does not quote them in its URLs.
"""

from contracts.steps import Step


def instance_id(*, job_id: str, run: int) -> str:
    """The orchestration instance that is one run of a job."""
    return f"{job_id}.{run}"


def lane_instance_id(*, job_id: str, run: int, lane: int) -> str:
    """The sub-orchestration that takes its share of a run's chunks."""
    return f"{instance_id(job_id=job_id, run=run)}:lane:{lane}"


def event_name(*, step: Step, chunk: int | None, attempt: int) -> str:
    """Unique within an instance: azure-functions-durable 1.7 loses or repeats events that share a name."""
    return f"{step}.{chunk or 0}.{attempt}"


def message_id(*, job_id: str, run: int, step: Step, chunk: int | None, attempt: int) -> str:
    """What duplicate detection compares; the same request sent twice is one message."""
    return f"{instance_id(job_id=job_id, run=run)}:{step}:{chunk or 0}:{attempt}"
