"""The port is the one that was asked for, or the host says otherwise."""

from __future__ import annotations

import contextlib
import socket

import pytest

from local_stack.functions_host import errors, listening


def test_default_port_moves_when_it_is_taken() -> None:
    first, _ = listening.bind(None)
    with contextlib.closing(first):
        second, moved = listening.bind(None)
        with contextlib.closing(second):
            assert moved
            assert listening.base_url(first) != listening.base_url(second)


def test_port_that_was_asked_for_does_not_move() -> None:
    taken, _ = listening.bind(0)
    with contextlib.closing(taken), pytest.raises(errors.PortTakenError, match=r"127\.0\.0\.1"):
        listening.bind(taken.getsockname()[1])


def test_connections_are_taken_before_anything_is_served() -> None:
    bound, _ = listening.bind(0)
    with contextlib.closing(bound), socket.create_connection(bound.getsockname(), timeout=5) as connected:
        assert connected.getpeername() == bound.getsockname()
