"""Timer triggers: NCRONTAB in UTC, one firing of a timer at a time, missed firings told as past due."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from azure.functions import meta
from azure.functions import timer as sdk_timer

from local_stack.functions_host import errors, loader, timer_schedules
from local_stack.functions_host.services import Services

log = structlog.get_logger(__name__)

# The real host keeps no status of timers that fire more often than once a minute.
SHORTEST_MONITORED = timedelta(minutes=1)


def check(function: loader.Function) -> None:
    """Raises InvalidFunctionError for a schedule that cannot be read; a `%NAME%` is read later."""
    schedule = str(function.trigger.options["schedule"])
    if "%" in schedule:
        return
    _parse(function, schedule)


def _parse(function: loader.Function, schedule: str) -> timer_schedules.Schedule:
    try:
        parsed = timer_schedules.parse(schedule)
        parsed.next_after(datetime.now(UTC))
    except ValueError as error:
        raise errors.InvalidFunctionError(f"{function.name}: schedule {error}.") from error
    return parsed


class TimerTriggers:
    """Every timer of the app."""

    def __init__(self, functions: Sequence[loader.Function], services: Services) -> None:
        self._services = services
        statuses = timer_schedules.Statuses(services.database)
        self._timers = [_Timer(function, services, statuses) for function in functions]
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        watch = self._services.supervisor.watch
        self._tasks = [watch(timer.run(self._stopping), f"timer {timer.name}") for timer in self._timers]

    async def stop(self) -> None:
        self._stopping.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _Timer:
    def __init__(
        self, function: loader.Function, services: Services, statuses: timer_schedules.Statuses
    ) -> None:
        self._function = function
        self._services = services
        self._statuses = statuses
        self._text = services.resolve(str(function.trigger.options["schedule"]))
        self._schedule = _parse(function, self._text)
        self._last: datetime | None = None

    @property
    def name(self) -> str:
        return self._function.name

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`: fire what is past due or wanted at the start, then each time in its turn."""
        now = datetime.now(UTC)
        status = self._statuses.get(self._function.name, self._text) if self._is_monitored(now) else None
        self._last = status.last if status else None
        past_due = status is not None and status.next < now
        if past_due or self._function.trigger.options.get("run_on_startup"):
            await self._fire(is_past_due=past_due)
        due = self._schedule.next_after(datetime.now(UTC))
        self._remember(due)
        while not await _set_before(stopping, due):
            await self._fire(is_past_due=False)
            # A run that outlasts its period skips the times that have passed, as in Azure.
            due = self._schedule.next_after(max(due, datetime.now(UTC)))
            self._remember(due)

    def _is_monitored(self, now: datetime) -> bool:
        first = self._schedule.next_after(now)
        period = self._schedule.next_after(first) - first
        return self._function.trigger.options.get("use_monitor") is not False and period >= SHORTEST_MONITORED

    def _remember(self, due: datetime) -> None:
        if self._is_monitored(datetime.now(UTC)):
            status = timer_schedules.Status(last=self._last, next=due, updated=datetime.now(UTC))
            try:
                self._statuses.put(self._function.name, self._text, status)
            except sqlite3.Error as error:
                # A full disk, say: the timer goes on, and a missed time may go unnoticed after a restart.
                problem = f"{type(error).__name__}: {error}"
                log.error("timer_not_noted", function=self._function.name, problem=problem)

    async def _fire(self, *, is_past_due: bool) -> None:
        began = datetime.now(UTC)
        try:
            await self._services.invoker.invoke(self._function, self._request(began, is_past_due=is_past_due))
        except Exception:  # noqa: BLE001 # the app's code may raise anything; the invoker has logged it
            log.info("timer_waits_for_its_next_time", function=self._function.name)
        self._last = began

    def _request(self, now: datetime, *, is_past_due: bool) -> Any:
        following = self._schedule.next_after(now)
        status = {
            "Last": (self._last or datetime.min.replace(tzinfo=UTC)).isoformat(),
            "Next": following.isoformat(),
            "LastUpdated": (self._last or datetime.min.replace(tzinfo=UTC)).isoformat(),
        }
        text = json.dumps(
            {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": is_past_due}
        )
        return sdk_timer.TimerRequestConverter.decode(meta.Datum(text, "json"), trigger_metadata=None)


async def _set_before(event: asyncio.Event, moment: datetime) -> bool:
    """Wait for the event until the moment; whether it came first."""
    # In steps, because the wall clock may jump: a laptop sleeps.
    while (seconds := (moment - datetime.now(UTC)).total_seconds()) > 0:
        try:
            await asyncio.wait_for(event.wait(), min(seconds, 30.0))
        except TimeoutError:
            continue
        return True
    return event.is_set()
