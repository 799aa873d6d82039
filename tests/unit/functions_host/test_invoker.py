"""Functions are called where and as the worker calls them."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from local_stack.functions_host import counts, errors, invoker, loader


def function(call: Callable[..., Any], *, wants_context: bool = False) -> loader.Function:
    trigger = loader.Binding(name="value", kind="test", direction=loader.Direction.IN, options={})
    client = loader.Binding(name="client", kind="durableClient", direction=loader.Direction.IN, options={})
    return loader.Function(
        name="f",
        trigger=trigger,
        bindings=(trigger, client),
        call=call,
        is_async=loader.is_async(call),
        wants_context=wants_context,
    )


@pytest.fixture
def tally() -> counts.Counts:
    made = counts.Counts()
    made.add("f", "test")
    return made


@pytest.fixture
def caller(tally: counts.Counts) -> Iterator[invoker.Invoker]:
    made = invoker.Invoker(
        root=Path("/app"),
        threads=2,
        timeout=timedelta(seconds=0.2),
        input_providers={"durableClient": lambda binding: f"json for {binding.name}"},
        tally=tally,
    )
    yield made
    made.close()


async def test_async_function_runs_on_the_loop_and_gets_its_inputs(caller: invoker.Invoker) -> None:
    async def call(value: int, client: str) -> tuple[int, str, bool]:
        return value, client, asyncio.get_running_loop() is loop

    loop = asyncio.get_running_loop()
    assert await caller.invoke(function(call), 7) == (7, "json for client", True)


async def test_sync_function_runs_in_a_thread_with_the_caller_s_context(caller: invoker.Invoker) -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("set")

    def call(value: int, client: str) -> tuple[bool, str]:
        return threading.current_thread() is threading.main_thread(), variable.get()

    assert await caller.invoke(function(call), 7) == (False, "set")


async def test_context_tells_function_folder_and_trace(caller: invoker.Invoker) -> None:
    def call(value: int, client: str, context: func.Context) -> tuple[str, str, str]:
        return context.function_name, context.function_directory, context.trace_context.trace_parent

    called = await caller.invoke(function(call, wants_context=True), 7, trace_parent="00-a-b-01")
    assert called == ("f", "/app", "00-a-b-01")


async def test_time_out_of_the_function_s_own_is_not_the_host_s(caller: invoker.Invoker) -> None:
    async def call(value: int, client: str) -> None:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        await caller.invoke(function(call), 7)


@pytest.mark.parametrize("in_thread", [False, True])
async def test_function_over_the_limit_fails_and_is_counted(
    caller: invoker.Invoker, tally: counts.Counts, release: threading.Event, *, in_thread: bool
) -> None:
    async def on_loop(value: int, client: str) -> None:
        await asyncio.sleep(60)

    def in_a_thread(value: int, client: str) -> None:
        release.wait(60)

    with pytest.raises(errors.FunctionTimeoutError, match=r"f: 0\.2 s"):
        await caller.invoke(function(in_a_thread if in_thread else on_loop), 7)
    row = tally.snapshot()["f"]
    assert (row["invocations"], row["failures"], row["in_flight"]) == (1, 1, 0)


@pytest.fixture
async def release() -> AsyncIterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def test_function_that_exits_or_cancels_itself_fails_alone(
    caller: invoker.Invoker, tally: counts.Counts
) -> None:
    async def cancels(value: int, client: str) -> None:
        subtask = asyncio.create_task(asyncio.sleep(60))
        subtask.cancel()
        await subtask

    async def exits(value: int, client: str) -> None:
        sys.exit(3)

    def exits_in_a_thread(value: int, client: str) -> None:
        sys.exit(3)

    for call in (cancels, exits, exits_in_a_thread):
        with pytest.raises(errors.FunctionAbortedError):
            await caller.invoke(function(call), 7)
    assert tally.snapshot()["f"]["failures"] == 3


async def test_cancelled_invocation_is_cancelled(caller: invoker.Invoker) -> None:
    async def call(value: int, client: str) -> None:
        await asyncio.sleep(60)

    invocation = asyncio.create_task(caller.invoke(function(call), 7))
    await asyncio.sleep(0)
    invocation.cancel()
    with pytest.raises(asyncio.CancelledError):
        await invocation
