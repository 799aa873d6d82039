"""The host's socket."""

from __future__ import annotations

import socket

from local_stack.functions_host import errors

DEFAULT_PORT = 7071
BACKLOG = 2048


def bind(port: int | None) -> tuple[socket.socket, bool]:
    """A listening socket on 127.0.0.1, and whether it had to move.

    Without a port: 7071, or a free one when that is taken. With one: that port or PortTakenError; 0 is any
    free one.
    """
    try:
        return _bind(DEFAULT_PORT if port is None else port), False
    except OSError as error:
        if port is not None:
            raise errors.PortTakenError(f"127.0.0.1:{port}: {error.strerror}.") from error
    return _bind(0), True


def base_url(bound: socket.socket) -> str:
    """The origin of everything that the host serves."""
    return f"http://127.0.0.1:{bound.getsockname()[1]}"


def _bind(port: int) -> socket.socket:
    # asyncio turns Nagle's delay off only where the protocol is named; a request takes 40 ms more otherwise.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # A restart must not wait for the connections of a killed host to time out.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
        # Listening before anything is served: what calls in the meantime waits and is not refused.
        bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)  # noqa: FBT003 # the standard library's own signature
    return bound
