"""Calls the app's functions: async ones on the one event loop, others in threads, all within a limit."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog

from local_stack.functions_host import counts, errors, invocation_context, loader

log = structlog.get_logger(__name__)

InputProvider = Callable[[loader.Binding], Any]


class Invoker:
    """Owns the thread pool, the time limit and the counting."""

    def __init__(
        self,
        *,
        root: Path,
        threads: int | None,
        timeout: timedelta | None,
        input_providers: Mapping[str, InputProvider],
        tally: counts.Counts,
    ) -> None:
        self._root = root
        self._timeout_seconds = timeout.total_seconds() if timeout else None
        self._input_providers = input_providers
        self._tally = tally
        # The worker's default, Python's own: the number of cores and 4 more, at most 32.
        workers = threads or min(32, (os.cpu_count() or 1) + 4)
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="function")

    async def invoke(
        self, function: loader.Function, trigger_value: Any, *, trace_parent: str | None = None
    ) -> Any:
        """What the function returns.

        Raises what the function raises, and FunctionTimeoutError past functionTimeout. Each call is counted,
        and logged with its duration; a failure with its traceback.
        """
        context = invocation_context.Context(
            function=function.name, directory=self._root, trace_parent=trace_parent
        )
        logger = log.bind(function=function.name, invocation_id=context.invocation_id)
        began = time.monotonic()
        failed = True
        self._tally.began(function.name)
        try:
            result = await self._within_limit(function, self._arguments(function, trigger_value, context))
            failed = False
        except Exception:
            logger.exception("function_failed", run_seconds=_elapsed(began))
            raise
        else:
            logger.debug("function_succeeded", run_seconds=_elapsed(began))
            return result
        finally:
            self._tally.ended(function.name, failed=failed)

    def close(self) -> None:
        """Lets go of the threads; one that still runs is left to end with the process."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _arguments(
        self, function: loader.Function, trigger_value: Any, context: invocation_context.Context
    ) -> dict[str, Any]:
        arguments = {function.trigger.name: trigger_value}
        for binding in function.inputs:
            arguments[binding.name] = self._input_providers[binding.kind](binding)
        if function.wants_context and loader.CONTEXT_PARAMETER not in arguments:
            arguments[loader.CONTEXT_PARAMETER] = context
        return arguments

    async def _within_limit(self, function: loader.Function, arguments: dict[str, Any]) -> Any:
        try:
            async with asyncio.timeout(self._timeout_seconds) as limit:
                return await self._call(function, arguments)
        except TimeoutError as error:
            if limit.expired():
                # Python cannot stop a thread: the rest of a function that is not async runs on unheard.
                # The real host ends the whole worker process instead.
                raise errors.FunctionTimeoutError(f"{function.name}: {self._timeout_seconds} s.") from error
            raise

    async def _call(self, function: loader.Function, arguments: dict[str, Any]) -> Any:
        """What would end the host's own task, or the host, is the function's failure and nothing more."""
        try:
            return await self._call_unguarded(function, arguments)
        except SystemExit as error:
            raise errors.FunctionAbortedError(f"{function.name} called exit.") from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise errors.FunctionAbortedError(f"{function.name} let a CancelledError out.") from error

    async def _call_unguarded(self, function: loader.Function, arguments: dict[str, Any]) -> Any:
        # By keyword only: the durable client's middleware looks for its client in kwargs.
        call = functools.partial(function.call, **arguments)
        if function.is_async:
            return await call()
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._pool, context.run, call)


def _elapsed(began: float) -> float:
    return round(time.monotonic() - began, 4)
