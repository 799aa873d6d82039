"""What a link's address names: `amqps://host:port/lid-jobs/$DeadLetterQueue`, `lid-jobs/$management`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from local_stack.broker import errors

_MANAGEMENT: Final = "/$management"


class Node(StrEnum):
    CBS = "cbs"
    MANAGEMENT = "management"
    QUEUE = "queue"


@dataclass(frozen=True, kw_only=True)
class Address:
    """`entity` is the queue's path as the client wrote it, empty for $cbs."""

    node: Node
    entity: str = ""


def parse(address: str) -> Address:
    """Read an address; raise LinkNotBuiltError for what names a thing that this broker has not."""
    path = address.split("://", 1)[1].partition("/")[2] if "://" in address else address
    path = path.strip("/")
    lower = path.lower()
    if lower == "$cbs":
        return Address(node=Node.CBS)
    if "/subscriptions/" in lower:
        raise errors.LinkNotBuiltError(
            "Topics and subscriptions are not built in this local broker; use a queue."
        )
    if "/$transfer/" in lower:
        raise errors.LinkNotBuiltError(
            "Transfer dead letters are not built in this local broker: nothing is forwarded."
        )
    if lower.endswith(_MANAGEMENT):
        return Address(node=Node.MANAGEMENT, entity=path[: -len(_MANAGEMENT)])
    return Address(node=Node.QUEUE, entity=path)
