"""What a consumer's outcome means for the message (Service Bus reads the outcomes of AMQP in its own way)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from local_stack.broker import entries, errors, queues, states, values

Settle = Callable[[queues.Queue, UUID, int, values.Described], None]

DEFER_REFUSAL: Final = (
    "Deferring messages is not built in this local broker; complete, abandon or dead-letter it."
)


def settle(queue: queues.Queue, token: UUID, now_ms: int, state: values.Described) -> None:
    """Apply an outcome; raise DeliveryRefusedError when it cannot be applied."""
    action = _ACTIONS.get(state.descriptor)
    if action is None:
        raise errors.NotBuiltError(
            "Settling in a transaction, or with a state that is no outcome, is not built here."
        )
    action(queue, token, now_ms, state)


def _complete(queue: queues.Queue, token: UUID, now_ms: int, _state: values.Described) -> None:
    queue.complete(token, now_ms)


def _release(queue: queues.Queue, token: UUID, now_ms: int, _state: values.Described) -> None:
    queue.release(token, now_ms)


def _modify(queue: queues.Queue, token: UUID, now_ms: int, state: values.Described) -> None:
    _delivery_failed, undeliverable_here = states.fields(state, 2)[:2]
    if undeliverable_here:
        raise errors.NotBuiltError(DEFER_REFUSAL)
    queue.abandon(token, now_ms)


def _dead_letter(queue: queues.Queue, token: UUID, now_ms: int, state: values.Described) -> None:
    details = _details(states.fields(state, 1)[0])
    queue.dead_letter(
        token,
        now_ms,
        reason=text(details.get(entries.DEAD_LETTER_REASON)),
        description=text(details.get(entries.DEAD_LETTER_DESCRIPTION)),
    )


def _details(problem: Any) -> dict[Any, Any]:
    """The info map of an error; its keys may be symbols or strings, which compare as text."""
    info = states.fields(problem, 3)[2] if isinstance(problem, values.Described) else None
    return info if isinstance(info, dict) else {}


def text(value: Any) -> str:
    return "" if value is None else str(value)


_ACTIONS: Final[dict[int, Settle]] = {
    states.ACCEPTED: _complete,
    states.REJECTED: _dead_letter,
    states.RELEASED: _release,
    states.MODIFIED: _modify,
}
