"""The ends of steps on their way to who waits for them."""

import asyncio
from typing import Any, Final, Protocol

import pydantic
import structlog

from contracts import blobs, events, jobs, steps
from function_app import errors, runs, services

log = structlog.get_logger(__name__)

LONGEST_PAUSE_SECONDS: Final = 5


class EventClient(runs.RunClient, Protocol):
    """What delivering an event needs of the Durable client."""

    async def raise_event(self, instance_id: str, event_name: str, event_data: Any = None) -> None:
        """As DurableOrchestrationClient.raise_event."""


def parse(body: bytes) -> events.StepFinished:
    """Raises MessageError, without the body: its text is not ours to repeat."""
    try:
        return events.StepFinished.model_validate_json(body)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise errors.MessageError(f"This is no StepFinished: {place}: {first['msg']}.") from None


async def deliver_or_wait(client: EventClient, body: bytes, delivery_count: int) -> bool:
    """Delivers the message's event; False when its instance is over.

    Raises MessageError, InstanceMissingError and DurableUnavailableError: the message must then come again.
    Service Bus redelivers at once what is given back, and counts: a pause, longer each time, makes the
    deliveries of a message last for the better part of a minute.
    """
    event = parse(body)
    try:
        return await deliver(client, event)
    except (errors.InstanceMissingError, errors.DurableUnavailableError):
        await asyncio.sleep(min(delivery_count, LONGEST_PAUSE_SECONDS))
        raise


async def deliver(client: EventClient, event: events.StepFinished) -> bool:
    """Raises the event in the instance that waits; False when that instance is over.

    The same event twice is harmless: its name is waited for once. Raises InstanceMissingError, when it must
    come again later, and DurableUnavailableError.
    """
    instance_id = event.reply_to.instance_id
    ids = {"job_id": event.job_id, "run": event.run, "step": event.step, "chunk": event.chunk}
    # Durable drops an event for an instance that it does not know without a word.
    state = await runs.instance_state(client, instance_id)
    if state is runs.InstanceState.MISSING:
        raise errors.InstanceMissingError(f"There is no instance {instance_id}.")
    if state is runs.InstanceState.FINISHED:
        log.info("event_came_late", attempt=event.attempt, outcome=event.outcome.status, **ids)
        return False
    try:
        await client.raise_event(instance_id, event.reply_to.event_name, event.model_dump(mode="json"))
    except Exception as error:
        # The client raises bare exceptions, also for an instance that ended since.
        if await runs.instance_state(client, instance_id) is runs.InstanceState.FINISHED:
            return False
        raise errors.DurableUnavailableError from error
    log.info("event_delivered", attempt=event.attempt, outcome=event.outcome.status, **ids)
    return True


async def remove_late_work(parts: services.Services, event: events.StepFinished) -> None:
    """Removes what the work of an event that came too late has left behind.

    A recording that is prepared again when its job has ended, because the request came twice, leaves chunks
    that nobody will read. Those of a job that runs again are its own. Raises StoreUnavailableError and
    BlobsUnavailableError.
    """
    if event.step is not steps.Step.PREPARE:
        return
    job = await asyncio.to_thread(parts.store.find, event.job_id)
    if job is None or job.status in jobs.TERMINAL:
        prefix = blobs.work_prefix(tenant_id=event.tenant_id, job_id=event.job_id)
        removed = await asyncio.to_thread(parts.blobs.delete_prefix, blobs.Container.WORK, prefix)
        log.info("late_work_removed", job_id=event.job_id, run=event.run, blobs=removed)
