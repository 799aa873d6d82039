"""Makes the host's parts from what main has read; nothing runs yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local_stack.functions_host import (
    bindings,
    blob_trigger,
    counts,
    durable_bindings,
    host_json,
    http_trigger,
    invoker,
    loader,
    receipts,
    service_bus_trigger,
    settings,
    state,
    supervision,
    timer_trigger,
)
from local_stack.functions_host.durable import client_binding, engine
from local_stack.functions_host.services import Services, TriggerHandler


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What main has read and checked."""

    functions: Sequence[loader.Function]
    host: host_json.HostJson
    settings: settings.Settings
    root: Path
    base_url: str
    watch: state.CommitWatch | None = None
    """For tests, which end the process beside a commit: nothing on the command line leads here."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The whole host, ready to be started."""

    services: Services
    engine: engine.DurableEngine
    http: http_trigger.HttpTriggers
    handlers: Sequence[TriggerHandler]
    tally: counts.Counts
    receipts: receipts.Receipts
    database: state.Database

    def close(self) -> None:
        self.services.invoker.close()
        self.database.close()


def build(inputs: Inputs) -> Parts:
    """Raises MissingAppSettingError when a binding's connection is not set."""
    database_dir = inputs.root / inputs.settings.database_dir
    database = state.connect(database_dir / "host.sqlite", watch=inputs.watch)
    tally = counts.Counts()
    for function in inputs.functions:
        tally.add(function.name, function.trigger.kind)
    services = Services(
        settings=inputs.settings,
        host=inputs.host,
        invoker=_invoker(inputs, tally),
        database=database,
        supervisor=supervision.Supervisor(),
    )
    store = receipts.Receipts(database)
    http = http_trigger.HttpTriggers(_of(inputs, "httpTrigger"), services)
    return Parts(
        services=services,
        engine=_engine(inputs, services.invoker, tally, database_dir / "durable.sqlite"),
        http=http,
        handlers=[
            http,
            blob_trigger.BlobTriggers(_of(inputs, "blobTrigger"), services, store),
            service_bus_trigger.ServiceBusTriggers(_of(inputs, "serviceBusTrigger"), services),
            timer_trigger.TimerTriggers(_of(inputs, "timerTrigger"), services),
        ],
        tally=tally,
        receipts=store,
        database=database,
    )


def _invoker(inputs: Inputs, tally: counts.Counts) -> invoker.Invoker:
    default_hub = inputs.host.extensions.durable_task.hub_name

    def client_json(binding: loader.Binding) -> str:
        return client_binding.client_json(
            str(binding.options.get("task_hub") or default_hub), inputs.base_url
        )

    return invoker.Invoker(
        root=inputs.root,
        threads=inputs.settings.python_threadpool_thread_count,
        timeout=inputs.host.function_timeout,
        input_providers={durable_bindings.CLIENT: client_json},
        tally=tally,
    )


def _engine(
    inputs: Inputs, caller: invoker.Invoker, tally: counts.Counts, database: Path
) -> engine.DurableEngine:
    return engine.DurableEngine(
        database=database,
        orchestrators=durable_bindings.orchestrators(_of(inputs, durable_bindings.ORCHESTRATION), tally),
        activities=durable_bindings.activities(_of(inputs, durable_bindings.ACTIVITY), caller),
        limits=inputs.host.extensions.durable_task.engine_limits(),
    )


def _of(inputs: Inputs, kind: str) -> tuple[loader.Function, ...]:
    return bindings.by_trigger(inputs.functions, kind)
