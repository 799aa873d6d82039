"""A queue's $management node: renewing, settling, peeking and scheduling by request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from local_stack.broker import dispatch, entries, errors, namespace, requests, sections, settlement, values

_PREFIX: Final = "com.microsoft:"
_LARGEST_ANSWER_BYTES: Final = 1024 * 1024

# HTTP-like codes, as Service Bus answers them.
_STATUS: Final[dict[type[errors.DeliveryRefusedError], int]] = {
    errors.LockLostError: 410,
    errors.MessageNotFoundError: 404,
    errors.InvalidArgumentError: 400,
    errors.MalformedMessageError: 400,
    errors.MessageTooLargeError: 400,
    errors.NotAllowedError: 400,
    errors.QueueFullError: 403,
    errors.NotBuiltError: 501,
    errors.ServerError: 500,
}


class ManagementEndpoint:
    """Requests for one queue."""

    def __init__(
        self, space: namespace.Namespace, dispatcher: dispatch.Dispatcher, *, max_message_bytes: int
    ) -> None:
        self._namespace = space
        self._queue = dispatcher.queue
        self._max_message_bytes = max_message_bytes

    def answer(self, request: sections.Parsed) -> requests.Reply:
        operation = str(request.application_properties.get("operation", "")).removeprefix(_PREFIX)
        action = _ACTIONS.get(operation)
        try:
            if action is None:
                raise errors.NotBuiltError(
                    _NOT_BUILT.get(operation, f"Operation {operation!r} is not built here.")
                )
            if not isinstance(request.body, dict):
                raise errors.InvalidArgumentError("The body of the request is not a map.")
            return action(self, request.body)
        except errors.DeliveryRefusedError as refusal:
            return _refusal(refusal)

    def failed(self) -> requests.Reply:
        return _refusal(errors.ServerError())

    def renew_locks(self, body: dict[Any, Any]) -> requests.Reply:
        now_ms = self._namespace.now_ms()
        ends = [self._queue.renew(token, now_ms) for token in _items(body, "lock-tokens", UUID)]
        return _success({"expirations": _array(0x83, ends)})

    def update_disposition(self, body: dict[Any, Any]) -> requests.Reply:
        now_ms = self._namespace.now_ms()
        action = _SETTLEMENTS.get(str(body.get("disposition-status")))
        if action is None:
            raise errors.InvalidArgumentError("disposition-status is none that this broker knows.")
        for token in _items(body, "lock-tokens", UUID):
            action(self, token, now_ms, body)
        return _success({})

    def complete(self, token: UUID, now_ms: int, _body: dict[Any, Any]) -> None:
        self._queue.complete(token, now_ms)

    def abandon(self, token: UUID, now_ms: int, _body: dict[Any, Any]) -> None:
        self._queue.abandon(token, now_ms)

    def dead_letter(self, token: UUID, now_ms: int, body: dict[Any, Any]) -> None:
        self._queue.dead_letter(
            token,
            now_ms,
            reason=settlement.text(body.get("deadletter-reason")),
            description=settlement.text(body.get("deadletter-description")),
        )

    def defer(self, _token: UUID, _now_ms: int, _body: dict[Any, Any]) -> None:
        raise errors.NotBuiltError(settlement.DEFER_REFUSAL)

    def peek(self, body: dict[Any, Any]) -> requests.Reply:
        sequence, count = _integer(body, "from-sequence-number"), _integer(body, "message-count")
        found = self._queue.peek(sequence, count, _LARGEST_ANSWER_BYTES)
        if not found:
            return requests.Reply(
                application_properties={"statusCode": values.Int(204), "statusDescription": "No content"}
            )
        return _success({"messages": [{"message": message} for message in found]})

    def schedule(self, body: dict[Any, Any]) -> requests.Reply:
        now_ms = self._namespace.now_ms()
        parsed = [self._parse_scheduled(item) for item in _items(body, "messages", dict)]
        self._queue.check_room(parsed)
        sequences = [self._queue.send(message, now_ms, scheduled_ms(message)) for message in parsed]
        return _success({"sequence-numbers": _array(0x81, sequences)})

    def _parse_scheduled(self, item: dict[Any, Any]) -> sections.Parsed:
        if self._queue.dead_letters is None:
            raise errors.NotAllowedError("Nothing can be sent to dead letters.")
        encoded = item.get("message")
        if not isinstance(encoded, bytes):
            raise errors.InvalidArgumentError("A message to schedule is not binary.")
        return checked(encoded, self._max_message_bytes)

    def cancel_scheduled(self, body: dict[Any, Any]) -> requests.Reply:
        for sequence in _items(body, "sequence-numbers", int):
            self._queue.cancel(sequence)
        return _success({})


def checked(encoded: bytes, max_message_bytes: int) -> sections.Parsed:
    """Parse a message that is to be stored; raise DeliveryRefusedError for one that is not taken."""
    if len(encoded) > max_message_bytes:
        raise errors.MessageTooLargeError(
            f"The message has {len(encoded)} bytes; {max_message_bytes} are the most."
        )
    message = sections.parse(encoded)
    if message.group_id is not None:
        raise errors.NotBuiltError("Sessions are not built in this local broker; send without a session id.")
    return message


def scheduled_ms(message: sections.Parsed) -> int | None:
    """When the message is to become active, or None for now."""
    value = message.annotations.get(entries.SCHEDULED_TIME)
    return int(value) if isinstance(value, values.Timestamp) else None


def _success(body: dict[str, Any]) -> requests.Reply:
    return requests.Reply(
        application_properties={"statusCode": values.Int(200), "statusDescription": "OK"}, body=body
    )


def _refusal(refusal: errors.DeliveryRefusedError) -> requests.Reply:
    return requests.Reply(
        application_properties={
            "statusCode": values.Int(_STATUS.get(type(refusal), 500)),
            "statusDescription": str(refusal),
            "errorCondition": values.Symbol(refusal.code),
        },
        body={},
    )


def _array(constructor: int, items: list[int]) -> values.Array:
    return values.Array(constructor, tuple(items))


def _items(body: dict[Any, Any], key: str, kind: type) -> list[Any]:
    """An argument that is an array or a list of one type."""
    value = body.get(key)
    items = list(value.values) if isinstance(value, values.Array) else value
    if not isinstance(items, list) or not all(isinstance(item, kind) for item in items):
        raise errors.InvalidArgumentError(f"{key} is not a list of {kind.__name__}.")
    return items


def _integer(body: dict[Any, Any], key: str) -> int:
    value = body.get(key)
    if not isinstance(value, int) or value < 0:
        raise errors.InvalidArgumentError(f"{key} is not a number from 0 upwards.")
    return value


_Action = Callable[[ManagementEndpoint, dict[Any, Any]], requests.Reply]
_ACTIONS: Final[dict[str, _Action]] = {
    "renew-lock": ManagementEndpoint.renew_locks,
    "update-disposition": ManagementEndpoint.update_disposition,
    "peek-message": ManagementEndpoint.peek,
    "schedule-message": ManagementEndpoint.schedule,
    "cancel-scheduled-message": ManagementEndpoint.cancel_scheduled,
}
_SETTLEMENTS: Final[dict[str, Callable[[ManagementEndpoint, UUID, int, dict[Any, Any]], None]]] = {
    "completed": ManagementEndpoint.complete,
    "abandoned": ManagementEndpoint.abandon,
    "suspended": ManagementEndpoint.dead_letter,
    "defered": ManagementEndpoint.defer,  # the dialect's own spelling
}
_SESSIONS: Final = "Sessions are not built in this local broker."
_RULES: Final = "Topics and their rules are not built in this local broker."
_NOT_BUILT: Final = {
    "receive-by-sequence-number": settlement.DEFER_REFUSAL,
    "renew-session-lock": _SESSIONS,
    "get-session-state": _SESSIONS,
    "set-session-state": _SESSIONS,
    "get-message-sessions": _SESSIONS,
    "add-rule": _RULES,
    "remove-rule": _RULES,
    "enumerate-rules": _RULES,
}
