"""What clients may do to instances, and which versions of them an app runs."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest

from local_stack.functions_host.durable import engine, errors, history, limits
from tests.integration.durable import rig
from tests.integration.durable.conftest import StartEngine

Steps = Generator[Any, Any, Any]


class TestClientOperations:
    @staticmethod
    def waits(context: Any) -> Steps:
        return (yield context.wait_for_external_event("go"))

    async def test_running_instance_is_not_started_again(self, start_engine: StartEngine) -> None:
        durable = await start_engine(self.waits)
        await durable.start_new("waits", None, "one")
        with pytest.raises(errors.InstanceExistsError, match="already exists"):
            await durable.start_new("waits", None, "one")

    async def test_finished_instance_is_replaced_with_a_fresh_history(
        self, start_engine: StartEngine
    ) -> None:
        durable = await start_engine(self.waits)
        for answer in ("1", "2"):
            await durable.start_new("waits", None, "one")
            await durable.raise_event("one", "go", answer)
            status = await rig.until(durable, "one")
            assert status.output_text == answer
            kinds = [event.kind for event in status.history or ()]
            assert kinds.count(history.Kind.EXECUTION_STARTED) == 1

    async def test_missing_and_finished_instances_take_no_events(self, start_engine: StartEngine) -> None:
        durable = await start_engine(self.waits)
        with pytest.raises(errors.InstanceNotFoundError):
            await durable.raise_event("nobody", "go", "1")
        with pytest.raises(errors.InstanceNotFoundError):
            await durable.terminate("nobody", "")
        await durable.start_new("waits", None, "one")
        await durable.raise_event("one", "go", "1")
        await rig.until(durable, "one")
        with pytest.raises(errors.InstanceFinishedError):
            await durable.raise_event("one", "go", "1")
        with pytest.raises(errors.InstanceFinishedError):
            await durable.terminate("one", "")

    async def test_purge_forgets_an_instance_and_what_it_waits_for(self, start_engine: StartEngine) -> None:
        def sleeps(context: Any) -> Steps:
            yield context.create_timer(context.current_utc_datetime + timedelta(hours=1))

        durable = await start_engine(sleeps)
        await durable.start_new("sleeps", None, "one")
        await rig.until(durable, "one", lambda status: status.status is engine.Status.RUNNING)
        assert await durable.purge("one") == 1
        with pytest.raises(errors.InstanceNotFoundError):
            await durable.status("one")
        with pytest.raises(errors.InstanceNotFoundError):
            await durable.purge("one")

    @pytest.mark.parametrize(
        "instance_id", ["@entity", "a/b", "a\\b", "a?b", "a#b", "a\nb", "x" * 257], ids=ascii
    )
    async def test_bad_instance_id_is_refused(self, start_engine: StartEngine, instance_id: str) -> None:
        durable = await start_engine(self.waits)
        with pytest.raises(errors.InvalidInstanceIdError):
            await durable.start_new("waits", None, instance_id)

    async def test_unknown_orchestrator_and_bad_json_are_refused(self, start_engine: StartEngine) -> None:
        durable = await start_engine(self.waits)
        with pytest.raises(errors.UnknownFunctionError, match="known orchestrator functions: 'waits'"):
            await durable.start_new("nowhere")
        with pytest.raises(errors.InvalidPayloadError):
            await durable.start_new("waits", "{")


class TestVersions:
    @staticmethod
    def tells(context: Any) -> Any:
        return context.version

    @staticmethod
    def bounds(
        version: str, failure: limits.VersionFailure = limits.VersionFailure.REJECT
    ) -> limits.DurableLimits:
        return limits.DurableLimits(default_version=version, version_failure=failure)

    async def test_default_version_goes_to_new_instances(self, start_engine: StartEngine) -> None:
        durable = await start_engine(self.tells, bounds=self.bounds("1.2.0"))
        assert rig.output(await rig.until(durable, await durable.start_new("tells"))) == "1.2.0"
        older = await durable.start_new("tells", None, None, "1.0.0")
        assert rig.output(await rig.until(durable, older)) == "1.0.0"

    async def test_newer_instance_waits_for_a_newer_app(self, start_engine: StartEngine) -> None:
        durable = await start_engine(self.tells, bounds=self.bounds("1.2.0"))
        await durable.start_new("tells", None, "newer", "1.10.0")
        await rig.until(durable, await durable.start_new("tells"))
        assert (await durable.status("newer")).status is engine.Status.PENDING
        await durable.stop()
        durable = await start_engine(self.tells, bounds=self.bounds("1.10.0"))
        assert rig.output(await rig.until(durable, "newer")) == "1.10.0"

    async def test_newer_instance_fails_where_host_json_says_so(self, start_engine: StartEngine) -> None:
        bounds = self.bounds("1.2.0", limits.VersionFailure.FAIL)
        durable = await start_engine(self.tells, bounds=bounds)
        await durable.start_new("tells", None, "newer", "2.0.0")
        status = await rig.until(durable, "newer")
        assert status.output_text == "Orchestration version did not comply with Worker Versioning"
