"""Message ids of events."""

from contracts import events, identity


def event_message_id(event: events.StepFinished) -> str:
    """The same for every sending of one attempt's outcome: duplicate detection may drop the second."""
    request_id = identity.message_id(
        job_id=event.job_id, run=event.run, step=event.step, chunk=event.chunk, attempt=event.attempt
    )
    return f"{request_id}:{event.outcome.status}"
