"""Ports that are free, and ports that are taken."""

from __future__ import annotations

import socket

from local_stack.launcher import ports


def test_free_port_is_kept() -> None:
    (port,) = ports.free(1)
    chosen, moves = ports.choose(ports.Ports(api=port, blobs=0, broker=0, counts=0, postgres=0))
    assert (chosen.api, moves) == (port, ())


def test_taken_port_moves_and_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        chosen, moves = ports.choose(ports.Ports(api=port, blobs=0, broker=0, counts=0, postgres=0))
    assert chosen.api != port
    assert moves == (ports.Move(name="api", wanted=port, used=chosen.api),)


def test_ports_of_one_stack_all_differ() -> None:
    chosen, moves = ports.choose(ports.ANY)
    assert len(set(chosen.named().values())) == len(chosen.named())
    assert 0 not in chosen.named().values()
    assert moves == ()


def test_further_free_ports_keep_clear_of_those_in_use() -> None:
    first = ports.free(5)
    assert not set(first) & set(ports.free(5, besides=first))
