"""Dead letters: who waits for a message that nobody will work on any more is told, with the reason."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import azure.functions as func
import pydantic
import structlog

from contracts import events, messages
from contracts.errors import RETRYABLE, ErrorCode
from function_app import errors, services, step_events
from function_app.activities import step_results

log = structlog.get_logger(__name__)

PAUSE_SECONDS: Final = 1.0

BROKERS_REASONS: Final[Mapping[str, ErrorCode]] = {
    "TTLExpiredException": ErrorCode.MESSAGE_EXPIRED,
    "MaxDeliveryCountExceeded": ErrorCode.DELIVERIES_EXHAUSTED,
}
"""What Service Bus itself writes; a worker writes an ErrorCode."""

_SENTENCES: Final[Mapping[ErrorCode, str]] = {
    ErrorCode.MESSAGE_EXPIRED: "No worker had finished the work in time: are there enough, and do they run?",
    ErrorCode.DELIVERIES_EXHAUSTED: (
        "Every worker that took the work stopped before it was done. The workers' logs say why; this "
        "recording may need more memory than they have."
    ),
}


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a message was put aside, in the words of who did it."""

    code: str
    description: str


def reason_of(message: func.ServiceBusMessage) -> Reason:
    """Both may be missing: then they are empty."""
    return Reason(
        code=message.dead_letter_reason or "", description=message.dead_letter_error_description or ""
    )


async def give_up_request(
    parts: services.Services, client: step_events.EventClient, body: bytes, *, reason: Reason
) -> None:
    """For a step request: its result if it has one after all, else its failure. Harmless to repeat.

    A body that is no request is logged and let go: it names nobody who could be told, and who waits for it
    has a timer of its own. Raises BlobsUnavailableError and DurableUnavailableError.
    """
    try:
        request = messages.StepRequest.model_validate_json(body)
    except pydantic.ValidationError:
        # Without the traceback: it holds the body.
        log.error("dead_letter_unreadable", reason=reason.code[:200])
        return
    async with _unhurried():
        event = await asyncio.to_thread(_end_of, parts, request, reason)
        await _deliver_or_let_go(client, event)


async def give_up_event(client: step_events.EventClient, body: bytes, *, reason: Reason) -> None:
    """For an event that could not be delivered: one more try, since its instance may be there now."""
    try:
        event = step_events.parse(body)
    except errors.MessageError as error:
        log.error("dead_letter_unreadable", reason=reason.code[:200], problem=str(error))
        return
    async with _unhurried():
        await _deliver_or_let_go(client, event)


def failure_code(reason: str) -> ErrorCode:
    """What a dead letter's reason means."""
    if reason in BROKERS_REASONS:
        return BROKERS_REASONS[reason]
    return ErrorCode(reason) if reason in set(ErrorCode) else ErrorCode.DEAD_LETTERED


def _end_of(parts: services.Services, request: messages.StepRequest, reason: Reason) -> events.StepFinished:
    # A worker may have been killed between its result and its event.
    outcome = step_results.completed(parts.blobs, request) or _failed(reason)
    log.warning(
        "dead_letter_answered",
        job_id=request.job_id,
        run=request.run,
        step=request.step,
        chunk=request.chunk,
        attempt=request.attempt,
        reason=reason.code[:200],
        outcome=outcome.status,
    )
    return events.StepFinished(
        tenant_id=request.tenant_id,
        job_id=request.job_id,
        run=request.run,
        step=request.step,
        chunk=request.chunk,
        attempt=request.attempt,
        reply_to=request.reply_to,
        outcome=outcome,
        finished_at=datetime.now(UTC),
        traceparent=request.traceparent,
    )


def _failed(reason: Reason) -> events.Failed:
    code = failure_code(reason.code)
    said = reason.description or (
        f"The work's message was put aside ({reason.code or 'no reason given'}). Submit the recording again; "
        "if that does not help, look for its dead letter in the logs."
    )
    message = _SENTENCES.get(code, said)
    return events.Failed(code=code, message=message[:1000], retryable=code in RETRYABLE)


@contextlib.asynccontextmanager
async def _unhurried() -> AsyncIterator[None]:
    """A dead letter that is given back comes again at once, and no count of deliveries ends that."""
    try:
        yield
    except Exception:
        await asyncio.sleep(PAUSE_SECONDS)
        raise


async def _deliver_or_let_go(client: step_events.EventClient, event: events.StepFinished) -> None:
    try:
        await step_events.deliver(client, event)
    except errors.InstanceMissingError:
        # A dead letter has no further queue to go to: kept, it would come again for ever.
        log.warning("dead_letter_without_instance", job_id=event.job_id, run=event.run, step=event.step)
