"""A stack whose app and workers reach broker, storage and database through proxies."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, TracebackType
from typing import Final, Self

from local_stack.launcher import services, stack
from tests.faults import proxy

NAMES: Final = ("broker", "blobs", "postgres")
"""Of the ports that get a proxy."""

FOUL: Final[Mapping[str, proxy.Weather]] = MappingProxyType(
    {
        # A connection says little, and lives long: it opens in about 1,500 bytes, and a message has 2,000.
        "broker": proxy.Weather(least_bytes=1_000, most_bytes=15_000),
        # Recordings pass here too: a connection lives for some megabytes.
        "blobs": proxy.Weather(least_bytes=0, most_bytes=1_500_000),
        "postgres": proxy.Weather(least_bytes=0, most_bytes=60_000),
    }
)


@dataclass(frozen=True, kw_only=True)
class _ProxiedPlan(services.Plan):
    moved: Mapping[int, int] = field(default_factory=dict)
    """A server's port to its proxy's."""

    def credentials(self) -> dict[str, str]:
        return {name: self._moved(value) for name, value in super().credentials().items()}

    def _moved(self, connection: str) -> str:
        for port, proxied in self.moved.items():
            connection = connection.replace(f":{port}", f":{proxied}")
        return connection


class ProxiedStack(stack.Stack):
    """As a stack; `proxies` are there once it has started, and its credentials lead through them."""

    def __init__(
        self,
        options: stack.StackOptions,
        *,
        tell: Callable[[str], None],
        seed: int,
        weather: Mapping[str, proxy.Weather] = FOUL,
    ) -> None:
        super().__init__(options, tell=tell)
        self.proxies: Mapping[str, proxy.Proxy] = {}
        self._seed = seed
        self._weather = weather
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as held:
            held.push(self._held)
            entered = super().__enter__()
            held.pop_all()
        return entered

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._held:
            super().__exit__(kind, error, trace)

    def _make_plan(self) -> services.Plan:
        plan = super()._make_plan()
        upstream = {name: plan.ports.named()[name] for name in NAMES}
        self.proxies = self._held.enter_context(
            proxy.running_all(upstream, seed=self._seed, weather_of=self._weather.__getitem__)
        )
        moved = {port: self.proxies[name].port for name, port in upstream.items()}
        return _ProxiedPlan(**{**vars(plan), "moved": moved})
