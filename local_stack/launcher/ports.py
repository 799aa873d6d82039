"""Which port each process gets."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Final

from local_stack import free_ports

LOOPBACK: Final = free_ports.LOOPBACK


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Ports of 127.0.0.1; 0 asks for a free one."""

    api: int = 7071
    blobs: int = 10000
    broker: int = 5672
    counts: int = 5673
    postgres: int = 5433

    def named(self) -> Mapping[str, int]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


ANY: Final = Ports(api=0, blobs=0, broker=0, counts=0, postgres=0)


@dataclass(frozen=True, kw_only=True)
class Move:
    """A port that was taken."""

    name: str
    wanted: int
    used: int


def choose(wanted: Ports) -> tuple[Ports, tuple[Move, ...]]:
    """The wanted ports where they are free, others where not, all different; and which had to move."""
    with contextlib.ExitStack() as held:
        chosen = {name: _take(port, held) for name, port in wanted.named().items()}
        moves = tuple(
            Move(name=name, wanted=port, used=chosen[name])
            for name, port in wanted.named().items()
            if port not in (0, chosen[name])
        )
    return Ports(**chosen), moves


def free(count: int, *, besides: Iterable[int] = ()) -> list[int]:
    """So many different free ports."""
    avoided = set(besides)
    with contextlib.ExitStack() as held:
        found: list[int] = []
        while len(found) < count:
            port = _take(0, held)
            if port not in avoided:
                found.append(port)
    return found


def _take(port: int, held: contextlib.ExitStack) -> int:
    """The port, or a free one when it is taken; bound until `held` closes, so that nobody gets it twice."""
    probe = (_hold(port) if port else None) or free_ports.hold_free_port()
    return int(held.enter_context(probe).getsockname()[1])


def _hold(port: int) -> socket.socket | None:
    """A socket bound to the port; None when it is taken."""
    probe = socket.socket()
    # As the servers do: connections of the last run that still time out do not make a port taken.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((LOOPBACK, port))
    except OSError:
        probe.close()
        return None
    return probe
