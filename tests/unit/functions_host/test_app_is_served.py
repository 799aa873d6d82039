"""The function app asks for nothing that the local host does not do."""

from __future__ import annotations

import ast
import importlib.util
import runpy
from collections import Counter
from pathlib import Path

import azure.durable_functions as df
import pytest

import function_app
from local_stack.functions_host import bindings, loader

APP_FOLDER = Path(function_app.__file__).parent

BINDING_KINDS = {
    "activityTrigger",
    "blobTrigger",
    "durableClient",
    "http",
    "httpTrigger",
    "orchestrationTrigger",
    "serviceBusTrigger",
    "timerTrigger",
}

# What the engine does of the SDK's two classes; entities, continue_as_new, call_http, suspend, resume, rewind
# and restart answer 501 or fail the instance.
CONTEXT_CALLS = {
    "call_activity",
    "call_activity_with_retry",
    "call_sub_orchestrator",
    "call_sub_orchestrator_with_retry",
    "create_timer",
    "current_utc_datetime",
    "custom_status",
    "function_context",
    "get_input",
    "histories",
    "instance_id",
    "is_replaying",
    "new_guid",
    "new_uuid",
    "parent_instance_id",
    "set_custom_status",
    "task_all",
    "task_any",
    "version",
    "wait_for_external_event",
}
CLIENT_CALLS = {
    "create_check_status_response",
    "create_http_management_payload",
    "get_client_response_links",
    "get_status",
    "get_status_all",
    "get_status_by",
    "purge_instance_history",
    "purge_instance_history_by",
    "raise_event",
    "start_new",
    "terminate",
    "wait_for_completion_or_create_check_status_response",
}


def test_every_binding_is_of_a_kind_that_is_served() -> None:
    uses = loader.inventory(function_app.app)
    assert [use for use in uses if not bindings.is_served(use)] == []
    assert {use.kind for use in uses} <= BINDING_KINDS


def test_every_function_can_be_served_as_it_is_declared() -> None:
    bindings.check(loader.functions_of(function_app.app))


def test_app_has_one_catch_all_for_http_and_a_trigger_for_each_kind_of_arrival() -> None:
    triggers = Counter(function.trigger.kind for function in loader.functions_of(function_app.app))
    assert triggers["httpTrigger"] == 1
    assert all(triggers[kind] for kind in BINDING_KINDS - {"durableClient", "http"})


@pytest.mark.parametrize(
    ("sdk_class", "served"),
    [(df.DurableOrchestrationContext, CONTEXT_CALLS), (df.DurableOrchestrationClient, CLIENT_CALLS)],
)
def test_app_makes_no_durable_call_that_the_engine_does_not_answer(sdk_class: type, served: set[str]) -> None:
    public = {name for name in dir(sdk_class) if not name.startswith("_")}
    assert served <= public, "a name that the SDK does not have"
    assert attributes_used() & (public - served) == set()


def attributes_used() -> set[str]:
    """Every attribute name in the app's source: a superset of its Durable calls."""
    return {
        node.attr
        for path in APP_FOLDER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
    }


def test_package_shadows_the_stub_and_the_stub_is_loud() -> None:
    spec = importlib.util.find_spec("function_app")
    assert spec is not None
    assert spec.origin == str(APP_FOLDER / "__init__.py")
    stub = APP_FOLDER.parent / "function_app.py"
    with pytest.raises(ImportError, match="must shadow this file"):
        runpy.run_path(str(stub))
