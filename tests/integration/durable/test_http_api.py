"""The real SDK client, and an operator with plain HTTP, against the engine's routes on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df
import httpx
import pytest

from local_stack.functions_host.durable import client_binding, engine
from tests.integration.durable import rig
from tests.integration.durable.conftest import ServeEngine, StartEngine

# The SDK's session asks aiohttp for something that newer Pythons do not need.
pytestmark = pytest.mark.filterwarnings("ignore:enable_cleanup_closed")

Steps = Generator[Any, Any, Any]


def waits(context: Any) -> Steps:
    context.set_custom_status({"waits_for": "go"})
    event = yield context.wait_for_external_event("go")
    return [context.get_input(), event, context.version]


def calls(context: Any) -> Steps:
    return (yield context.call_activity("echo", context.get_input()))


class TestSdkClient:
    async def test_start_raise_event_and_status(self, start_engine: StartEngine, serve: ServeEngine) -> None:
        durable = await start_engine(waits)
        client = (await serve(durable)).client
        instance_id = await client.start_new("waits", None, {"a": 1})
        running = await rig.until(durable, instance_id, lambda status: status.custom_status_text is not None)
        status = await client.get_status(instance_id)
        assert running.status is engine.Status.RUNNING
        assert status.runtime_status is df.OrchestrationRuntimeStatus.Running
        assert status.custom_status == {"waits_for": "go"}
        assert status.name == "waits"
        await client.raise_event(instance_id, "go", {"b": 2})
        await rig.until(durable, instance_id)
        status = await client.get_status(
            instance_id, show_history=True, show_history_output=True, show_input=True
        )
        assert status.runtime_status is df.OrchestrationRuntimeStatus.Completed
        # The client encodes an event twice, so the orchestrator receives text: in Azure too.
        assert status.output == [{"a": 1}, '{"b": 2}', ""]
        assert json.loads(status.input_) == {"a": 1}
        assert datetime.now(UTC) - status.created_time < timedelta(minutes=1)

    async def test_event_that_is_early_late_and_twice(
        self, start_engine: StartEngine, serve: ServeEngine
    ) -> None:
        durable = await start_engine(waits)
        client = (await serve(durable)).client
        await client.start_new("waits", "one")
        await client.raise_event("one", "go", 1)
        await rig.until(durable, "one")
        with pytest.raises(Exception, match="is gone: either completed or failed"):
            await client.raise_event("one", "go", 2)
        with pytest.raises(Exception, match="No instance with ID nobody found"):
            await client.raise_event("nobody", "go", 1)
        assert (await client.get_status("one")).output == [None, "1", ""]

    async def test_start_of_a_running_id_fails_and_of_a_finished_one_replaces(
        self, start_engine: StartEngine, serve: ServeEngine
    ) -> None:
        durable = await start_engine(waits)
        client = (await serve(durable)).client
        await client.start_new("waits", "one")
        with pytest.raises(Exception, match="already exists"):
            await client.start_new("waits", "one")
        await client.raise_event("one", "go", 1)
        await rig.until(durable, "one")
        assert await client.start_new("waits", "one") == "one"

    async def test_unknown_orchestrator_names_the_known_ones(
        self, start_engine: StartEngine, serve: ServeEngine
    ) -> None:
        client = (await serve(await start_engine(waits))).client
        with pytest.raises(Exception, match=r"The function 'nowhere' doesn't exist.*'waits'"):
            await client.start_new("nowhere")

    async def test_terminate(self, start_engine: StartEngine, serve: ServeEngine) -> None:
        durable = await start_engine(waits)
        client = (await serve(durable)).client
        await client.start_new("waits", "one")
        await client.terminate("one", "not wanted & so on")
        await rig.until(durable, "one")
        status = await client.get_status("one")
        assert status.runtime_status is df.OrchestrationRuntimeStatus.Terminated
        assert status.output == "not wanted & so on"
        await client.terminate("one", "again")  # 410, which the client takes as done
        with pytest.raises(Exception, match="No instance with ID 'nobody' found"):
            await client.terminate("nobody", "")

    async def test_status_of_nobody_is_falsy(self, start_engine: StartEngine, serve: ServeEngine) -> None:
        client = (await serve(await start_engine(waits))).client
        assert not await client.get_status("nobody")

    async def test_query_and_purge_by_filters(self, start_engine: StartEngine, serve: ServeEngine) -> None:
        durable = await start_engine(waits, calls, activities={"echo": lambda value: value})
        client = (await serve(durable)).client
        began = datetime.now(UTC) - timedelta(seconds=2)
        for name in ("a.1", "a.2", "b.1"):
            await client.start_new("calls", name, name)
            await rig.until(durable, name)
        await client.start_new("waits", "a.3")
        await rig.until(durable, "a.3", lambda status: status.status is engine.Status.RUNNING)
        completed = [df.OrchestrationRuntimeStatus.Completed]
        found = await client.get_status_by(began, None, completed, instance_id_prefix="a.")
        assert [each.instance_id for each in found] == ["a.1", "a.2"]
        assert len(await client.get_status_all()) == 4
        assert await client.get_status_by(created_time_from=began + timedelta(hours=1)) == []
        # Instances here never take these: none is found, and above all none is purged.
        never = [df.OrchestrationRuntimeStatus.Suspended, df.OrchestrationRuntimeStatus.Canceled]
        assert await client.get_status_by(began, None, never) == []
        assert (await client.purge_instance_history_by(began, None, never)).instances_deleted == 0
        assert (await client.purge_instance_history("a.1")).instances_deleted == 1
        assert (await client.purge_instance_history("a.1")).instances_deleted == 0
        assert (await client.purge_instance_history_by(began)).instances_deleted == 2
        assert [each.instance_id for each in await client.get_status_all()] == ["a.3"]

    async def test_status_of_all_is_the_first_hundred_only(
        self, start_engine: StartEngine, serve: ServeEngine
    ) -> None:
        durable = await start_engine(waits)
        client = (await serve(durable)).client
        await asyncio.gather(*(durable.start_new("waits", None, f"job.{number:03}") for number in range(101)))
        found = await client.get_status_all()
        assert [each.instance_id for each in found] == [f"job.{number:03}" for number in range(100)]

    @pytest.mark.parametrize("operation", ["suspend", "resume", "restart", "rewind"])
    async def test_what_is_not_built_says_so(
        self, start_engine: StartEngine, serve: ServeEngine, operation: str
    ) -> None:
        client = (await serve(await start_engine(waits))).client
        await client.start_new("waits", "one")
        arguments = ["one"] if operation == "restart" else ["one", "why"]
        with pytest.raises(Exception, match="501"):
            await getattr(client, operation)(*arguments)


class TestOperator:
    """`/runtime/webhooks/durabletask`, as Azure's documentation has it."""

    @pytest.fixture
    async def web(self, start_engine: StartEngine, serve: ServeEngine) -> Any:
        durable = await start_engine(waits, calls, activities={"echo": lambda value: value})
        server = await serve(durable)
        async with httpx.AsyncClient(base_url=server.base_url + client_binding.WEBHOOK_PATH) as client:
            client.headers["x-durable"] = "operator"
            yield client, durable

    async def test_links_of_a_started_instance_lead_to_it(self, web: Any) -> None:
        client, durable = web
        started = await client.post("/orchestrators/waits/one", json={"a": 1})
        assert started.status_code == 202
        links = started.json()
        assert started.headers["location"] == links["statusQueryGetUri"]
        running = await client.get(links["statusQueryGetUri"])
        assert (running.status_code, running.headers["retry-after"]) == (202, "5")
        raised = await client.post(links["sendEventPostUri"].replace("{eventName}", "go"), json={"b": 2})
        assert (raised.status_code, raised.content) == (202, b"")
        await rig.until(durable, "one")
        done = await client.get(links["statusQueryGetUri"])
        assert done.status_code == 200
        assert done.json()["output"] == [{"a": 1}, {"b": 2}, ""]
        assert (await client.delete(links["purgeHistoryDeleteUri"])).json() == {"instancesDeleted": 1}
        gone = await client.get(links["statusQueryGetUri"])
        assert (gone.status_code, gone.content) == (404, b"")

    async def test_history_is_shown_folded_as_in_azure(self, web: Any) -> None:
        client, durable = web
        await client.post("/orchestrators/calls/one", json=json.dumps({"n": 1}))
        await rig.until(durable, "one")
        answer = await client.get("/instances/one?showHistory=true&showHistoryOutput=true&showInput=false")
        events = answer.json()["historyEvents"]
        assert [event["EventType"] for event in events] == [
            "ExecutionStarted",
            "TaskCompleted",
            "ExecutionCompleted",
        ]
        assert events[1]["FunctionName"] == "echo"
        assert events[1]["Result"] == {"n": 1}
        assert "ScheduledTime" in events[1]
        assert not any("Input" in event or "EventId" in event for event in events)

    async def test_half_a_surrogate_pair_in_a_payload_hides_no_instance(self, web: Any) -> None:
        client, durable = web
        half = r"\ud83d"
        await client.post("/orchestrators/calls/one", content=json.dumps(f'"{half}"'))
        await rig.until(durable, "one")
        answer = await client.get("/instances/one")
        assert (answer.status_code, answer.json()["output"]) == (200, "\ud83d")
        page = await client.get("/instances")
        assert [each["instanceId"] for each in page.json()] == ["one"]

    async def test_instances_come_in_pages(self, web: Any) -> None:
        client, _ = web
        for number in range(5):
            await client.post(f"/orchestrators/waits/one.{number}")
        seen, token = [], ""
        for _ in range(3):
            page = await client.get("/instances?top=2", headers={"x-ms-continuation-token": token})
            seen += [each["instanceId"] for each in page.json()]
            token = page.headers["x-ms-continuation-token"]
        assert seen == [f"one.{number}" for number in range(5)]
        assert token == ""

    @pytest.mark.parametrize(
        ("method", "path", "options", "status"),
        [
            ("GET", "/instances/nobody", {}, 404),
            ("DELETE", "/instances/nobody", {}, 404),
            ("POST", "/instances/nobody/terminate?reason=x", {}, 404),
            ("POST", "/instances/nobody/raiseEvent/go", {"json": 1}, 404),
            ("POST", "/instances/one/raiseEvent/go", {"json": 1}, 410),
            ("POST", "/instances/one/terminate?reason=x", {}, 410),
            ("POST", "/instances/two/raiseEvent/go", {"content": "1"}, 400),
            (
                "POST",
                "/instances/two/raiseEvent/go",
                {"content": "{", "headers": {"content-type": "application/json"}},
                400,
            ),
            ("POST", "/orchestrators/nowhere", {}, 400),
            ("POST", "/orchestrators/waits/two", {}, 500),
            ("GET", "/instances?createdTimeFrom=yesterday", {}, 400),
            ("DELETE", "/instances", {}, 400),
            ("DELETE", "/instances?createdTimeFrom=2999-01-01T00:00:00Z", {}, 404),
            ("POST", "/instances/two/suspend?reason=x", {}, 501),
            ("POST", "/instances/two/resume?reason=x", {}, 501),
            ("POST", "/instances/two/rewind?reason=x", {}, 501),
            ("POST", "/instances/two/restart", {}, 501),
            ("GET", "/entities/counter/1", {}, 501),
            ("POST", "/entities/counter/1?op=add", {"json": 1}, 501),
        ],
    )
    async def test_refusals_have_the_extensions_status_and_json_or_nothing(
        self, web: Any, method: str, path: str, options: dict[str, Any], status: int
    ) -> None:
        client, durable = web
        await client.post("/orchestrators/calls/one")
        await client.post("/orchestrators/waits/two")
        await rig.until(durable, "one")
        answer = await client.request(method, path, **options)
        assert answer.status_code == status
        if answer.content:
            answer.json()

    async def test_failed_instance_answers_500_only_where_asked(self, web: Any) -> None:
        client, durable = web
        await client.post("/orchestrators/calls/one", json="no JSON inside")
        await rig.until(durable, "one")
        assert (await client.get("/instances/one")).status_code == 200
        asked = await client.get("/instances/one?returnInternalServerErrorOnFailure=true")
        assert asked.status_code == 500
        assert asked.json()["runtimeStatus"] == "Failed"


async def test_many_clients_at_once(start_engine: StartEngine, serve: ServeEngine) -> None:
    durable = await start_engine(waits)
    client = (await serve(durable)).client
    ids = [f"job.{number}" for number in range(50)]
    await asyncio.gather(*(client.start_new("waits", instance_id, instance_id) for instance_id in ids))
    await asyncio.gather(*(client.raise_event(instance_id, "go", instance_id) for instance_id in ids))
    for instance_id in ids:
        assert rig.output(await rig.until(durable, instance_id)) == [instance_id, json.dumps(instance_id), ""]
