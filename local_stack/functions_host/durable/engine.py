"""The Durable engine: starts instances, sends them events, tells of them, and keeps them going.

One engine per database and per event loop. Each client operation is one transaction.
"""

from __future__ import annotations

import functools
import json
import uuid
import warnings
from collections.abc import Mapping
from pathlib import Path

from local_stack.functions_host.durable import (
    activity_runner,
    database,
    errors,
    history,
    instants,
    limits,
    queries,
    scheduler,
    store,
    turn,
    values,
)

ActivityFunction = activity_runner.ActivityFunction
ActivityInvocation = activity_runner.ActivityInvocation
OrchestratorFunction = values.OrchestratorFunction
CommitPoint = database.CommitPoint
CommitWatch = database.CommitWatch
Filters = queries.Filters
InstanceStatus = queries.InstanceStatus
Load = scheduler.Load
Moment = database.Moment
Status = values.Status

_LONGEST_ID = 256
_FORBIDDEN_IN_ID = frozenset("/\\#?")


class DurableEngine:
    """Orchestrations and activities of one app over one database file.

    `watch` is called beside every commit, in the writer's thread; tests end the process there.
    """

    def __init__(
        self,
        *,
        database: Path,
        orchestrators: Mapping[str, OrchestratorFunction],
        activities: Mapping[str, ActivityFunction],
        limits: limits.DurableLimits,
        watch: CommitWatch | None = None,
    ) -> None:
        self.limits = limits
        self._orchestrators = orchestrators
        self._storage = _database_at(database, watch)
        app = turn.App(
            orchestrators=orchestrators,
            activity_names=frozenset(activities),
            default_version=limits.default_version,
        )
        self._scheduler = scheduler.Scheduler(
            storage=self._storage, app=app, activities=activities, bounds=limits
        )

    async def start(self) -> None:
        """Opens the database and runs again whatever was under way. Raises DatabaseInUseError."""
        _expect_warnings()
        self._storage.open()
        await self._scheduler.start()

    async def stop(self, *, grace_seconds: float = 10.0) -> None:
        """Takes no more work, waits that long for turns and activities under way, closes the database."""
        await self._scheduler.stop(grace_seconds=grace_seconds)
        self._storage.close()

    async def start_new(
        self,
        name: str,
        input_text: str | None = None,
        instance_id: str | None = None,
        version: str | None = None,
    ) -> str:
        """Starts an instance and returns its id; a finished one of that id is silently replaced.

        `input_text` is JSON; the orchestrator gets it decoded once (the SDK's client sends a JSON string
        that holds JSON). Raises UnknownFunctionError, InvalidInstanceIdError, InvalidPayloadError,
        InstanceExistsError.
        """
        if name not in self._orchestrators:
            raise errors.UnknownFunctionError(
                turn.unknown_function(name, "orchestrator", self._orchestrators)
            )
        _require_json(input_text)
        execution = values.Execution(
            instance_id=_valid_id(instance_id),
            execution_id=values.new_execution_id(),
            name=name,
            version=self.limits.default_version if version is None else version,
        )
        start = functools.partial(
            store.start_instance, execution=execution, input_text=input_text, now=instants.now()
        )
        await self._storage.commit(CommitPoint.INSTANCE_STARTED, start, on_committed=self._scheduler.take)
        return execution.instance_id

    async def raise_event(self, instance_id: str, event_name: str, input_text: str) -> None:
        """Sends an event, kept until the instance waits for it. `input_text` is JSON.

        Raises InstanceNotFoundError, InstanceFinishedError, InvalidPayloadError.
        """
        _require_json(input_text)
        event = history.event_raised(at=instants.text(instants.now()), name=event_name, input_text=input_text)
        await self._send(CommitPoint.EVENT_RAISED, instance_id, event)

    async def terminate(self, instance_id: str, reason: str) -> None:
        """Ends an instance at its next turn; its sub-orchestrations and running activities go on.

        Raises InstanceNotFoundError, InstanceFinishedError.
        """
        event = history.execution_terminated(at=instants.text(instants.now()), reason=reason)
        await self._send(CommitPoint.TERMINATION_REQUESTED, instance_id, event)

    async def status(self, instance_id: str, *, show_history: bool = False) -> InstanceStatus:
        """Raises InstanceNotFoundError."""
        found = await self._storage.read(
            functools.partial(queries.status, instance_id=instance_id, show_history=show_history)
        )
        if found is None:
            raise errors.InstanceNotFoundError(f"No instance with ID '{instance_id}' found.")
        return found

    async def query(self, filters: Filters) -> list[InstanceStatus]:
        """Instances in the order of their ids, without history."""
        return await self._storage.read(functools.partial(queries.query, filters=filters))

    async def purge(self, instance_id: str) -> int:
        """Deletes an instance, running or not, as the extension does. Raises InstanceNotFoundError."""
        purged = await self._storage.commit(
            CommitPoint.INSTANCES_PURGED, functools.partial(store.purge, instance_ids=[instance_id])
        )
        if not purged:
            raise errors.InstanceNotFoundError(f"No instance with ID '{instance_id}' found.")
        return purged

    async def purge_many(self, filters: Filters) -> int:
        """Deletes the finished instances among those that match; returns how many."""
        return await self._storage.commit(
            CommitPoint.INSTANCES_PURGED, functools.partial(queries.purge_finished, filters=filters)
        )

    def load(self) -> Load:
        """What is under way in this process, for an operator and for benchmarks."""
        return self._scheduler.load()

    async def _send(self, point: CommitPoint, instance_id: str, event: history.Event) -> None:
        send = functools.partial(store.send_message, instance_id=instance_id, event=event)
        await self._storage.commit(point, send, on_committed=self._scheduler.take)


def _expect_warnings() -> None:
    """Two warnings of the SDK that are no fault here; made errors (by tests) they would fail an orchestrator.

    The first comes with every event that is there before its wait, the second with the first payload that is
    decoded without a type.
    """
    warnings.filterwarnings("ignore", message="Potential duplicate Task completion")
    warnings.filterwarnings("ignore", message="azure.functions df_loads was called without expected_type")


def _database_at(path: Path, watch: CommitWatch | None) -> database.Database:
    return database.Database(path, watch=watch)


def _valid_id(instance_id: str | None) -> str:
    if not instance_id:
        return uuid.uuid4().hex
    is_bad = any(character in _FORBIDDEN_IN_ID or not character.isprintable() for character in instance_id)
    if len(instance_id) > _LONGEST_ID or instance_id.startswith("@") or is_bad:
        raise errors.InvalidInstanceIdError
    return instance_id


def _require_json(text: str | None) -> None:
    if text is None:
        return
    try:
        json.loads(text)
    except ValueError as cause:
        raise errors.InvalidPayloadError from cause
