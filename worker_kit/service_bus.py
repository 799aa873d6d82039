"""Service Bus, or the local broker that speaks its dialect."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
from azure.identity.aio import DefaultAzureCredential
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender
from azure.servicebus.amqp import AmqpMessageBodyType
from azure.servicebus.exceptions import MessageLockLostError

from contracts import events, identity, queues
from worker_kit import errors
from worker_kit.event_ids import event_message_id
from worker_kit.queues import ReceivedMessage
from worker_kit.settings import WorkerSettings

log = structlog.get_logger()

OPERATION_SECONDS: Final = 20.0
"""Every call to the SDK ends after this, whatever its own retries are doing."""
CLOSE_SECONDS: Final = 5.0
LONGEST_REASON: Final = 4096
"""Characters of a dead letter's reason, and of its description: Service Bus takes no more."""


@dataclass(frozen=True, kw_only=True)
class _Receipt:
    receiver: ServiceBusReceiver
    message: ServiceBusReceivedMessage


class ServiceBusQueue:
    """A WorkQueue with one receiver, and so one connection, per message in hand.

    The SDK's receivers must not be used by two coroutines at once, and a lock is renewed and settled on the
    connection it came by. A receiver whose message is settled waits to be used again; the last one first, so
    that the credit which a fruitless receive leaves on a link is always that of the next receive.
    """

    def __init__(self, client: ServiceBusClient, queue: queues.Queue) -> None:
        self._client = client
        self._queue = queue
        self._idle: list[ServiceBusReceiver] = []
        self._peeker: ServiceBusReceiver | None = None

    async def receive(self, *, max_wait_seconds: float) -> ReceivedMessage | None:
        receiver = self._idle.pop() if self._idle else await self._opened()
        async with self._kept_or_closed(receiver, max_wait_seconds + OPERATION_SECONDS):
            # Unused credit stays on the link after the call: asking for one bounds what may be locked unseen.
            messages = await receiver.receive_messages(max_message_count=1, max_wait_time=max_wait_seconds)
        if not messages:
            self._idle.append(receiver)
            return None
        return _received(receiver, messages[0])

    async def renew(self, message: ReceivedMessage) -> datetime:
        receipt = _receipt(message)
        async with _translated(OPERATION_SECONDS):
            return await receipt.receiver.renew_message_lock(receipt.message)

    async def complete(self, message: ReceivedMessage) -> None:
        receipt = _receipt(message)
        await self._settle(receipt, receipt.receiver.complete_message)

    async def abandon(self, message: ReceivedMessage) -> None:
        receipt = _receipt(message)
        await self._settle(receipt, receipt.receiver.abandon_message)

    async def dead_letter(self, message: ReceivedMessage, *, reason: str, description: str) -> None:
        receipt = _receipt(message)

        async def settle(received: ServiceBusReceivedMessage) -> None:
            await receipt.receiver.dead_letter_message(
                received, reason=reason[:LONGEST_REASON], error_description=description[:LONGEST_REASON]
            )

        await self._settle(receipt, settle)

    async def release(self, message: ReceivedMessage) -> None:
        await _close(_receipt(message).receiver)

    async def withdraw_credit(self) -> None:
        idle, self._idle = self._idle, []
        await asyncio.gather(*(_close(receiver) for receiver in idle))

    async def ping(self) -> None:
        peeker = self._peeker or self._client.get_queue_receiver(self._queue)
        self._peeker = None
        async with self._kept_or_closed(peeker, OPERATION_SECONDS):
            await peeker.peek_messages(max_message_count=1, timeout=OPERATION_SECONDS)
        self._peeker = peeker

    async def close(self) -> None:
        await self.withdraw_credit()
        await _close(self._client)

    async def _opened(self) -> ServiceBusReceiver:
        """A new receiver with its link open: opening would count against the wait of a receive."""
        receiver = self._client.get_queue_receiver(self._queue)
        async with self._kept_or_closed(receiver, OPERATION_SECONDS):
            await receiver.__aenter__()
        return receiver

    async def _settle(
        self, receipt: _Receipt, settle: Callable[[ServiceBusReceivedMessage], Awaitable[None]]
    ) -> None:
        async with self._kept_or_closed(receipt.receiver, OPERATION_SECONDS):
            await settle(receipt.message)
        self._idle.append(receipt.receiver)

    @contextlib.asynccontextmanager
    async def _kept_or_closed(self, receiver: ServiceBusReceiver, seconds: float) -> AsyncIterator[None]:
        """A receiver on which something went wrong is not used again."""
        try:
            async with _translated(seconds):
                yield
        except BaseException:
            await _close(receiver)
            raise


class ServiceBusEvents:
    """An EventSender with one sender, reopened after an error."""

    def __init__(self, client: ServiceBusClient, queue: queues.Queue = queues.Queue.JOB_EVENTS) -> None:
        self._client = client
        self._queue = queue
        self._sender: ServiceBusSender | None = None
        self._one_at_a_time = asyncio.Lock()

    async def send(self, event: events.StepFinished) -> None:
        message = ServiceBusMessage(
            event.model_dump_json(),
            message_id=event_message_id(event),
            content_type="application/json",
            correlation_id=identity.instance_id(job_id=event.job_id, run=event.run),
        )
        async with self._one_at_a_time:
            sender = self._sender or self._client.get_queue_sender(self._queue)
            self._sender = None
            try:
                async with _translated(OPERATION_SECONDS):
                    await sender.send_messages(message)
            except BaseException:
                await _close(sender)
                raise
            self._sender = sender

    async def close(self) -> None:
        await _close(self._client)


def open_queue(settings: WorkerSettings, queue: queues.Queue) -> ServiceBusQueue:
    """The worker's own queue."""
    return ServiceBusQueue(_client(settings), queue)


def open_events(settings: WorkerSettings) -> ServiceBusEvents:
    """The way back."""
    return ServiceBusEvents(_client(settings))


def _client(settings: WorkerSettings) -> ServiceBusClient:
    # Short retries of its own: the receive loop is what waits out an outage.
    if settings.service_bus_connection_string is not None:
        secret = settings.service_bus_connection_string.get_secret_value()
        return ServiceBusClient.from_connection_string(secret, retry_total=2, retry_backoff_max=5)
    return ServiceBusClient(
        settings.service_bus_namespace, DefaultAzureCredential(), retry_total=2, retry_backoff_max=5
    )


def _received(receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage) -> ReceivedMessage:
    now = datetime.now(UTC)
    return ReceivedMessage(
        body=_bytes_of(message),
        message_id=str(message.message_id or ""),
        delivery_count=message.delivery_count or 0,
        enqueued_at=message.enqueued_time_utc or now,
        locked_until=message.locked_until_utc or now,
        expires_at=message.expires_at_utc,
        receipt=_Receipt(receiver=receiver, message=message),
    )


def _bytes_of(message: ServiceBusReceivedMessage) -> bytes:
    """Empty, which is no request, for an AMQP sequence and the like: whoever sent it, it kills no worker."""
    body = message.body
    if isinstance(body, bytes):
        return body
    return b"".join(body) if message.body_type is AmqpMessageBodyType.DATA else b""


def _receipt(message: ReceivedMessage) -> _Receipt:
    if not isinstance(message.receipt, _Receipt):
        raise TypeError("the message is not of this queue")
    return message.receipt


@contextlib.asynccontextmanager
async def _translated(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except MessageLockLostError as error:
        raise errors.LockLostError from error
    except Exception as error:
        # On a broken connection the SDK lets errors of its AMQP layer through, of every kind.
        raise errors.QueueUnavailableError(f"Service Bus does not answer: {type(error).__name__}.") from error


async def _close(closable: ServiceBusClient | ServiceBusReceiver | ServiceBusSender) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await closable.close()
    except Exception as error:  # noqa: BLE001 - it is being thrown away; whatever it says changes nothing
        log.debug("service_bus_close_failed", error=type(error).__name__)
