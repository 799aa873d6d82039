"""Free TCP ports of 127.0.0.1 for servers that must know theirs before they listen."""

from __future__ import annotations

import itertools
import os
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"

# Below the range that Linux gives to outgoing connections (32768 up, ip(7)): out of that range any connection
# could take the port between the choice and the listening, or while its server is being restarted.
_RANGE: Final = range(20000, 32000)
# Processes with neighbouring numbers, such as those of one test run, begin so far apart.
_APART: Final = 499


_numbers: Final = itertools.count(os.getpid() * _APART)


def free_port() -> int:
    """A port on which nobody listens, and that this process has not been given lately."""
    with hold_free_port() as probe:
        return int(probe.getsockname()[1])


def hold_free_port() -> socket.socket:
    """A socket bound to such a port, which nobody else gets until it is closed. Raises OSError."""
    for number in itertools.islice(_numbers, len(_RANGE)):
        probe = socket.socket()
        try:
            probe.bind((LOOPBACK, _RANGE[number % len(_RANGE)]))
        except OSError:
            probe.close()
        else:
            return probe
    raise OSError(f"No port of {LOOPBACK} from {_RANGE.start} to {_RANGE.stop - 1} is free.")
