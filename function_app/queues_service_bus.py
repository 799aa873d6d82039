"""Step requests over Service Bus: Azure's, or the local broker with the same client."""

import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSender

from contracts import identity, messages, queues
from function_app import errors, settings

_TRY_LIMIT_SECONDS: Final = 10
_LOCK_LIMIT_SECONDS: Final = 30
_SHORTEST_LIFE: Final = timedelta(seconds=1)


class _QueueSender:
    """The sender of one queue, used by one thread at a time and opened anew after each error."""

    def __init__(self, client: ServiceBusClient, queue: queues.Queue) -> None:
        self._client = client
        self._queue = queue
        # The SDK's senders may not be shared between threads.
        self._lock = threading.Lock()
        self._sender: ServiceBusSender | None = None

    def send(self, message: ServiceBusMessage) -> None:
        with self._turn(), _translated():
            sender = self._opened()
            try:
                sender.send_messages(message)
            except BaseException:
                self._forget(sender)
                raise

    def ping(self) -> None:
        with self._turn(), _translated():
            sender = self._opened()
            try:
                # An empty batch asks for the largest message size, which needs an open link.
                sender.create_message_batch()
            except BaseException:
                self._forget(sender)
                raise

    def close(self) -> None:
        with self._turn():
            if self._sender is not None:
                self._forget(self._sender)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=_LOCK_LIMIT_SECONDS):
            raise errors.QueueUnavailableError(f"Others wait for {self._queue} already.")
        try:
            yield
        finally:
            self._lock.release()

    def _opened(self) -> ServiceBusSender:
        if self._sender is None:
            self._sender = self._client.get_queue_sender(self._queue)
        return self._sender

    def _forget(self, sender: ServiceBusSender) -> None:
        self._sender = None
        # What closing a broken link says adds nothing to what broke it.
        with contextlib.suppress(Exception):
            sender.close()


class ServiceBusStepSender:
    """Keeps the promises of `queues.StepSender`."""

    def __init__(self, client: ServiceBusClient) -> None:
        self._client = client
        self._senders = {queue: _QueueSender(client, queue) for queue in set(queues.QUEUE_OF_STEP.values())}

    def send(self, request: messages.StepRequest) -> None:
        self._senders[queues.QUEUE_OF_STEP[request.step]].send(_message(request))

    def ping(self) -> None:
        for sender in self._senders.values():
            sender.ping()

    def close(self) -> None:
        for sender in self._senders.values():
            sender.close()
        self._client.close()


def connect(read: settings.Settings) -> ServiceBusStepSender:
    """No connection is made before the first use."""
    options: dict[str, Any] = {
        "retry_total": 2,
        "retry_backoff_factor": 0.5,
        "retry_backoff_max": 5,
        "try_timeout": _TRY_LIMIT_SECONDS,
    }
    if read.service_bus_connection_string is not None:
        secret = read.service_bus_connection_string.get_secret_value()
        return ServiceBusStepSender(ServiceBusClient.from_connection_string(secret, **options))
    from azure.identity import DefaultAzureCredential

    namespace = str(read.service_bus_namespace)
    return ServiceBusStepSender(ServiceBusClient(namespace, DefaultAzureCredential(), **options))


def _message(request: messages.StepRequest) -> ServiceBusMessage:
    properties: dict[Any, Any] = {"traceparent": request.traceparent} if request.traceparent else {}
    return ServiceBusMessage(
        request.model_dump_json(),
        message_id=identity.message_id(
            job_id=request.job_id,
            run=request.run,
            step=request.step,
            chunk=request.chunk,
            attempt=request.attempt,
        ),
        correlation_id=request.reply_to.instance_id,
        content_type="application/json",
        # One that is late already expires at once: its dead letter wakes who waits.
        time_to_live=max(request.expires_at - datetime.now(UTC), _SHORTEST_LIFE),
        application_properties=properties,
    )


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (AzureError, OSError) as error:
        # The reason is the SDK's class: its text names the endpoint.
        raise errors.QueueUnavailableError(f"Service Bus: {type(error).__name__}.") from error
