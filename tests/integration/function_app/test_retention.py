"""What finished instances leave in Durable is removed by the SDK's own client, and nothing else is."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from function_app import errors, retention
from tests.integration.durable import rig
from tests.integration.durable.conftest import ServeEngine, StartEngine, serve, start_engine
from tests.unit.function_app import api_fixtures

__all__ = ["serve", "start_engine"]

# The SDK's session asks aiohttp for something that newer Pythons do not need.
pytestmark = pytest.mark.filterwarnings("ignore:enable_cleanup_closed")

Steps = Generator[Any, Any, Any]


def ends(context: Any) -> str:
    return str(context.instance_id)


def waits(context: Any) -> Steps:
    yield context.wait_for_external_event("go")


@pytest.mark.parametrize(
    ("retained", "left"),
    [
        # Begun before what is retained.
        (timedelta(seconds=-5), ["goes-on"]),
        # Begun since.
        (timedelta(days=30), ["goes-on", "over"]),
    ],
)
async def test_finished_instances_are_purged_when_they_are_old_and_running_ones_never(
    start_engine: StartEngine,
    serve: ServeEngine,
    monkeypatch: pytest.MonkeyPatch,
    retained: timedelta,
    left: list[str],
) -> None:
    durable = await start_engine(ends, waits)
    client = (await serve(durable)).client
    monkeypatch.setattr(retention, "_long_ago", lambda _: datetime.now(UTC) - retained)
    await client.start_new("ends", "over")
    await rig.until(durable, "over")
    await client.start_new("waits", "goes-on")
    await rig.until(durable, "goes-on", lambda status: status.status.value == "Running")
    with api_fixtures.running_api() as api:
        await retention.purge_instances(api.parts, client)
        await retention.purge_instances(api.parts, client)
    assert sorted(status.instance_id for status in await client.get_status_all()) == left


async def test_durable_that_is_away_is_said_so() -> None:
    class Away:
        async def purge_instance_history_by(self, *_: Any) -> Any:
            raise RuntimeError("The operation failed with an unexpected status code 500")

    with api_fixtures.running_api() as api, pytest.raises(errors.DurableUnavailableError):
        await retention.purge_instances(api.parts, Away())
