"""A part of the host that dies is heard."""

from __future__ import annotations

import asyncio

from local_stack.functions_host import supervision


async def test_failed_task_ends_the_host_as_failed() -> None:
    async def fail() -> None:
        raise RuntimeError("a bug")

    supervisor = supervision.Supervisor()
    supervisor.watch(fail(), "part")
    await asyncio.wait_for(supervisor.wait_for_end(), 5)
    assert supervisor.failed


async def test_cancelled_and_finished_tasks_end_nothing() -> None:
    supervisor = supervision.Supervisor()
    finished = supervisor.watch(asyncio.sleep(0), "finished")
    cancelled = supervisor.watch(asyncio.sleep(60), "cancelled")
    await finished
    cancelled.cancel()
    await asyncio.wait({cancelled})
    supervisor.end()
    await asyncio.wait_for(supervisor.wait_for_end(), 5)
    assert not supervisor.failed
