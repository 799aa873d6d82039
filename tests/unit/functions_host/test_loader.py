"""The app is found and checked as the Functions worker does it."""

# The SDK publishes no types of its decorators.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest

from local_stack.functions_host import bindings, errors, loader

App = Any


def new_app() -> App:
    return df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def module_with(**values: Any) -> types.ModuleType:
    module = types.ModuleType("an_app")
    vars(module).update(values)
    return module


def with_http(app: App, **route: Any) -> App:
    @app.route(route="x", **route)
    def answer(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse("ok")

    return app


def test_same_app_under_two_names_is_one() -> None:
    app = new_app()
    assert loader.find_app(module_with(app=app, application=app)) is app


def test_no_app_is_refused() -> None:
    with pytest.raises(errors.NoFunctionAppError, match="an_app"):
        loader.find_app(module_with(app=1))


def test_two_apps_are_refused_by_name() -> None:
    with pytest.raises(errors.SeveralFunctionAppsError, match="first, second"):
        loader.find_app(module_with(first=new_app(), second=func.FunctionApp()))


def test_app_without_functions_is_refused() -> None:
    with pytest.raises(errors.NoFunctionsError):
        loader.functions_of(new_app())


def test_functions_are_asked_for_once_per_app() -> None:
    app = with_http(new_app())
    # The SDK refuses a second get_functions(), so the second call must not reach it.
    assert loader.functions_of(app) is loader.functions_of(app)


def test_duplicate_names_are_refused() -> None:
    app = new_app()
    for route in ("a", "b"):

        @app.function_name("same")
        @app.route(route=route)
        def answer(req: func.HttpRequest) -> func.HttpResponse:
            return func.HttpResponse("ok")

    with pytest.raises(errors.InvalidFunctionError, match="same"):
        loader.functions_of(app)


def test_inventory_names_every_binding() -> None:
    app = new_app()

    @app.route(route="start")
    @app.durable_client_input(client_name="client")
    async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        return func.HttpResponse("ok")

    uses = {(use.function, use.kind, use.direction.name) for use in loader.inventory(app)}
    assert uses == {
        ("start", "httpTrigger", "IN"),
        ("start", "http", "OUT"),
        ("start", "durableClient", "IN"),
    }
    assert all(bindings.is_served(use) for use in loader.inventory(app))


def import_error(folder: Path) -> None:
    (folder / "broken_app.py").write_text("import no_such_thing_anywhere\n")
    loader.load("broken_app", folder)


def no_module(folder: Path) -> None:
    loader.load("no_such_app_anywhere", folder)


@pytest.mark.parametrize("load", [import_error, no_module])
def test_import_failure_names_module_and_reason(
    load: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(errors.AppImportError, match=r"ModuleNotFoundError: No module named 'no_such"):
        load(tmp_path)


def queue_trigger(app: App) -> None:
    @app.queue_trigger(arg_name="message", queue_name="q", connection="c")
    def function(message: func.QueueMessage) -> None:
        pass


def service_bus_output(app: App) -> None:
    @app.timer_trigger(arg_name="tick", schedule="* * * * * *")
    @app.service_bus_queue_output(arg_name="out", queue_name="q", connection="c")
    def function(tick: func.TimerRequest, out: func.Out[str]) -> None:
        pass


def many(app: App) -> None:
    @app.service_bus_queue_trigger(
        arg_name="messages", queue_name="q", connection="c", cardinality=func.Cardinality.MANY
    )
    def function(messages: func.ServiceBusMessage) -> None:
        pass


def topic(app: App) -> None:
    @app.service_bus_topic_trigger(arg_name="message", topic_name="t", subscription_name="s", connection="c")
    def function(message: func.ServiceBusMessage) -> None:
        pass


def sessions(app: App) -> None:
    @app.service_bus_queue_trigger(
        arg_name="message", queue_name="q", connection="c", is_sessions_enabled=True
    )
    def function(message: func.ServiceBusMessage) -> None:
        pass


def key_protected(app: App) -> None:
    with_http(app, auth_level=func.AuthLevel.FUNCTION)


def optional_route_parameter(app: App) -> None:
    @app.route(route="x/{id?}")
    def function(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse("ok")


def entity(app: App) -> None:
    @app.entity_trigger(context_name="context")
    def function(context: df.DurableEntityContext) -> None:
        pass


def retry_policy(app: App) -> None:
    @app.timer_trigger(arg_name="tick", schedule="* * * * * *")
    @app.retry(strategy="fixed_delay", max_retry_count="3", delay_interval="00:00:01")
    def function(tick: func.TimerRequest) -> None:
        pass


@pytest.mark.parametrize(
    ("declare", "reason"),
    [
        (queue_trigger, "queueTrigger"),
        (service_bus_output, "serviceBus as output"),
        (many, "cardinality many"),
        (topic, "topics"),
        (sessions, "sessions"),
        (key_protected, "(?i)auth level.*function"),
        (optional_route_parameter, r"x/\{id\?\}"),
        (entity, "entityTrigger"),
        (retry_policy, "retry policy"),
    ],
)
def test_what_is_not_served_is_refused_before_anything_starts(
    declare: Callable[[App], None], reason: str
) -> None:
    app = new_app()
    declare(app)
    with pytest.raises(errors.UnsupportedBindingError, match=reason):
        bindings.check(loader.functions_of(app))


def bad_path(app: App) -> None:
    @app.blob_trigger(arg_name="source", path="only-a-container", connection="c")
    def function(source: func.InputStream) -> None:
        pass


def bad_schedule(app: App) -> None:
    @app.timer_trigger(arg_name="tick", schedule="every day")
    def function(tick: func.TimerRequest) -> None:
        pass


def sync_durable_client(app: App) -> None:
    @app.route(route="x")
    @app.durable_client_input(client_name="client")
    def function(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        return func.HttpResponse("ok")


def unbound_parameter(app: App) -> None:
    @app.timer_trigger(arg_name="tick", schedule="* * * * * *")
    def function(tick: func.TimerRequest, more: str) -> None:
        pass


def missing_parameter(app: App) -> None:
    @app.timer_trigger(arg_name="tick", schedule="* * * * * *")
    def function(tock: func.TimerRequest) -> None:
        pass


@pytest.mark.parametrize(
    ("declare", "reason"),
    [
        (bad_path, "CONTAINER/NAME"),
        (bad_schedule, "schedule"),
        (sync_durable_client, "must be async"),
        (unbound_parameter, "'more' that no binding provides"),
        (missing_parameter, "'tick' that is not among its parameters"),
    ],
)
def test_function_that_would_fail_at_run_time_is_refused(declare: Callable[[App], None], reason: str) -> None:
    app = new_app()
    declare(app)
    with pytest.raises(errors.InvalidFunctionError, match=reason):
        bindings.check(loader.functions_of(app))
