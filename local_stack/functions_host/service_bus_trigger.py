"""Service Bus queue triggers: peek-lock, one message per invocation, complete on success, else abandon."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

import structlog
from azure.servicebus import ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import ServiceBusError

from local_stack.functions_host import connections, errors, host_json, loader, service_bus_message
from local_stack.functions_host.services import Services

log = structlog.get_logger(__name__)

DEAD_LETTER_SUFFIX = "/$deadletterqueue"

# How long one receive call waits: also the longest that a stop waits for an idle receiver.
RECEIVE_WAIT_SECONDS = 1.0
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 10.0
ERROR_TEXT_LIMIT = 300


def check(function: loader.Function) -> None:
    """Raises UnsupportedBindingError for topics, sessions and cardinality many."""
    options = function.trigger.options
    refused = {
        "topics": "topic_name" in options,
        "sessions": bool(options.get("is_sessions_enabled")),
        "cardinality many": str(options.get("cardinality") or "one").lower().endswith("many"),
    }
    for feature, wanted in refused.items():
        if wanted:
            raise errors.UnsupportedBindingError(f"{function.name}: a serviceBusTrigger with {feature}.")


class ServiceBusTriggers:
    """Every queue-triggered function of the app."""

    def __init__(self, functions: Sequence[loader.Function], services: Services) -> None:
        self._listeners = [_Listener(function, services) for function in functions]

    async def start(self) -> None:
        for listener in self._listeners:
            listener.start()

    async def stop(self) -> None:
        await asyncio.gather(*(listener.stop() for listener in self._listeners))


class _Listener:
    """One queue. Several slots, each with a receiver of its own; they take turns at receiving.

    A receiver of azure-servicebus is not made for two coroutines at a time, so settling one message while
    waiting for the next needs two of them. A slot is added when all are busy, up to maxConcurrentCalls.
    """

    def __init__(self, function: loader.Function, services: Services) -> None:
        self.function = function
        self.services = services
        self.limits: host_json.ServiceBus = services.host.extensions.service_bus
        self.name = services.resolve(str(function.trigger.options["queue_name"]))
        self.queue, self.sub_queue = _queue(self.name)
        self.connection = connections.service_bus(
            services.settings, str(function.trigger.options["connection"])
        )
        self.turn = asyncio.Lock()
        self._stop = asyncio.Event()
        self._busy = 0
        self._slots: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._add_slot()

    async def stop(self) -> None:
        self._stop.set()
        await asyncio.gather(*self._slots, return_exceptions=True)

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    async def wait_for_stop(self, limit_seconds: float) -> None:
        """Sleep, but not past a stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), limit_seconds)

    def took_message(self) -> None:
        self._busy += 1
        if self._busy == len(self._slots) < self.limits.max_concurrent_calls and not self.stopping:
            self._add_slot()

    def done_with_message(self) -> None:
        self._busy -= 1

    def _add_slot(self) -> None:
        number = len(self._slots) + 1
        slot = self.services.supervisor.watch(_Slot(self).run(), f"queue {self.name} slot {number}")
        self._slots.append(slot)


class _Slot:
    """One receiver with one message in hand at most."""

    def __init__(self, listener: _Listener) -> None:
        self._listener = listener
        self._limits = listener.limits
        self._log = log.bind(function=listener.function.name, queue=listener.name)

    async def run(self) -> None:
        """Until the listener stops; a broker that is away is tried again for ever, ever more slowly."""
        backoff_seconds = FIRST_BACKOFF_SECONDS
        while not self._listener.stopping:
            connected_at = time.monotonic()
            try:
                await self._serve()
            except Exception as error:  # noqa: BLE001 # a dying connection also ends in the SDK's own TypeErrors
                if time.monotonic() - connected_at > LONGEST_BACKOFF_SECONDS:
                    backoff_seconds = FIRST_BACKOFF_SECONDS
                problem = f"{type(error).__name__}: {error}"[:ERROR_TEXT_LIMIT]
                self._log.warning("queue_unreachable", problem=problem, next_try_seconds=backoff_seconds)
                await self._listener.wait_for_stop(backoff_seconds)
                backoff_seconds = min(backoff_seconds * 2, LONGEST_BACKOFF_SECONDS)

    async def _serve(self) -> None:
        # One quiet retry: a receiver that waited long for its turn may find its connection closed as idle.
        client = ServiceBusClient.from_connection_string(
            self._listener.connection.get_secret_value(), retry_total=1, retry_backoff_factor=0.1
        )
        async with (
            client,
            client.get_queue_receiver(
                self._listener.queue,
                sub_queue=self._listener.sub_queue,
                prefetch_count=self._limits.prefetch_count,
            ) as receiver,
            AutoLockRenewer() as renewer,
        ):
            while not self._listener.stopping:
                message = await self._receive(receiver)
                if message is not None:
                    await self._handle(receiver, renewer, message)

    async def _receive(self, receiver: ServiceBusReceiver) -> ServiceBusReceivedMessage | None:
        async with self._listener.turn:
            while not self._listener.stopping:
                # One at a time: credit that is left over would lock messages which nobody works on.
                messages = await receiver.receive_messages(
                    max_message_count=1, max_wait_time=RECEIVE_WAIT_SECONDS
                )
                if messages:
                    self._listener.took_message()
                    return messages[0]
        return None

    async def _handle(
        self, receiver: ServiceBusReceiver, renewer: AutoLockRenewer, message: ServiceBusReceivedMessage
    ) -> None:
        renewer.register(
            receiver,
            message,
            max_lock_renewal_duration=self._limits.max_auto_lock_renewal_duration.total_seconds(),
            on_lock_renew_failure=self._lock_lost,
        )
        try:
            succeeded = await self._invoke(message)
            await self._settle(receiver, message, succeeded=succeeded)
        finally:
            self._listener.done_with_message()

    async def _invoke(self, message: ServiceBusReceivedMessage) -> bool:
        try:
            await self._listener.services.invoker.invoke(
                self._listener.function,
                service_bus_message.bind(message),
                trace_parent=service_bus_message.trace_parent(message),
            )
        except Exception as error:  # noqa: BLE001 # the app's code may raise anything; the invoker has logged it
            self._log.warning(
                "message_failed",
                message_id=message.message_id,
                attempt=(message.delivery_count or 0) + 1,
                error=type(error).__name__,
            )
            return False
        return True

    async def _settle(
        self, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage, *, succeeded: bool
    ) -> None:
        try:
            if not succeeded:
                await receiver.abandon_message(message)
            elif self._limits.auto_complete_messages:
                await receiver.complete_message(message)
        except (ServiceBusError, OSError) as error:
            # The broker will deliver it again when its lock ends: at least once, as promised.
            problem = f"{type(error).__name__}: {error}"[:ERROR_TEXT_LIMIT]
            self._log.warning("message_not_settled", message_id=message.message_id, problem=problem)

    async def _lock_lost(self, message: object, error: Exception | None) -> None:
        message_id = getattr(message, "message_id", None)
        self._log.warning("message_lock_lost", message_id=message_id, error=type(error).__name__)


def _queue(name: str) -> tuple[str, ServiceBusSubQueue | None]:
    """`queue` or `queue/$DeadLetterQueue`, whose suffix the service compares without regard to case."""
    if name.lower().endswith(DEAD_LETTER_SUFFIX):
        return name[: -len(DEAD_LETTER_SUFFIX)], ServiceBusSubQueue.DEAD_LETTER
    return name, None
