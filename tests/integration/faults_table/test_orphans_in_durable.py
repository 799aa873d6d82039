"""Orphans in the real engine, sought and terminated by the SDK's own client."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from function_app import orphans
from tests.integration.durable import rig
from tests.integration.durable.conftest import ServeEngine, StartEngine, serve, start_engine
from tests.unit.function_app import api_fixtures

__all__ = ["serve", "start_engine"]

# The SDK's session asks aiohttp for something that newer Pythons do not need.
pytestmark = [pytest.mark.acceptance_long, pytest.mark.filterwarnings("ignore:enable_cleanup_closed")]

Steps = Generator[Any, Any, Any]


def waits(context: Any) -> Steps:
    yield context.wait_for_external_event("go")


async def test_instance_of_a_job_that_was_cancelled_long_ago_is_terminated_and_no_other(
    start_engine: StartEngine, serve: ServeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable = await start_engine(waits)
    client = (await serve(durable)).client
    # What was begun a moment ago counts as old here, and what was written a minute ago as long ago.
    monkeypatch.setattr(orphans, "_long_ago", lambda _: datetime.now(UTC) + timedelta(seconds=5))
    with api_fixtures.running_api() as api:
        over, running = api.started(), api.started()
        api.store.cancel(tenant_id="default", job_id=over)
        for instance_id in (f"{over}.1", f"{over}.1:lane:0", f"{running}.1"):
            await client.start_new("waits", instance_id)
            await rig.until(durable, instance_id, lambda status: status.status.value == "Running")
        await orphans.end_instances(api.parts, client)
        for instance_id in (f"{over}.1", f"{over}.1:lane:0"):
            await rig.until(durable, instance_id)
            status = await client.get_status(instance_id)
            assert status.runtime_status is df.OrchestrationRuntimeStatus.Terminated
        status = await client.get_status(f"{running}.1")
        assert status.runtime_status is df.OrchestrationRuntimeStatus.Running
