"""Is it ready? Checks that ask the process itself, quickly."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

import httpx

Check = Callable[[], str | None]
"""None when the process is ready, otherwise why not. Answers in about a second at most."""

CHECK_SECONDS: Final = 1.0


def listens(port: int) -> Check:
    """Ready when a TCP connection is taken."""

    def check() -> str | None:
        with socket.socket() as probe:
            probe.settimeout(CHECK_SECONDS)
            taken = probe.connect_ex(("127.0.0.1", port)) == 0
        return None if taken else f"nothing listens on port {port}"

    return check


def answers(url: str) -> Check:
    """Ready when GET answers 200."""

    def check() -> str | None:
        try:
            # No proxy stands between this machine and itself.
            response = httpx.get(url, timeout=CHECK_SECONDS, trust_env=False)
        except httpx.HTTPError as error:
            return f"{url} does not answer ({type(error).__name__})"
        return None if response.is_success else f"{url} answers {response.status_code}: {response.text[:300]}"

    return check
