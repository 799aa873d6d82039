"""What this host serves: one row per kind of binding. Everything else is refused before anything starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from local_stack.functions_host import (
    blob_trigger,
    durable_bindings,
    errors,
    http_trigger,
    loader,
    service_bus_trigger,
    timer_trigger,
)

Check = Callable[[loader.Function], None]

TRIGGERS: Mapping[str, Check] = {
    "httpTrigger": http_trigger.check,
    "blobTrigger": blob_trigger.check,
    "serviceBusTrigger": service_bus_trigger.check,
    "timerTrigger": timer_trigger.check,
    durable_bindings.ORCHESTRATION: durable_bindings.check_orchestrator,
    durable_bindings.ACTIVITY: durable_bindings.check_activity,
}
"""Each kind of trigger with what is checked of a function that has it."""

INPUTS = frozenset({durable_bindings.CLIENT})
"""Input bindings beside the trigger."""

OUTPUTS = frozenset({"http"})
"""Output bindings. Everything else goes out through an SDK, under the app's own control."""


def check(functions: Iterable[loader.Function]) -> None:
    """Raises UnsupportedBindingError or InvalidFunctionError for the first function that cannot be served."""
    for function in functions:
        for use in _uses(function):
            if not is_served(use):
                raise errors.UnsupportedBindingError(
                    f"{use.function}: {use.kind} as {use.direction.name.lower()}put."
                )
        _check_client(function)
        TRIGGERS[function.trigger.kind](function)


def is_served(use: loader.BindingUse) -> bool:
    """Whether a row of `loader.inventory(app)` is served here."""
    if use.direction is loader.Direction.OUT:
        return use.kind in OUTPUTS
    return use.kind in TRIGGERS or use.kind in INPUTS


def by_trigger(functions: Iterable[loader.Function], kind: str) -> tuple[loader.Function, ...]:
    return tuple(function for function in functions if function.trigger.kind == kind)


def _uses(function: loader.Function) -> Iterable[loader.BindingUse]:
    for binding in function.bindings:
        yield loader.BindingUse(function=function.name, kind=binding.kind, direction=binding.direction)


def _check_client(function: loader.Function) -> None:
    has_client = any(binding.kind == durable_bindings.CLIENT for binding in function.inputs)
    # The SDK wraps every function with a client into an async one, so look at what the author wrote.
    written = getattr(function.call, "client_function", function.call)
    if has_client and not loader.is_async(written):
        raise errors.InvalidFunctionError(f"{function.name}: a function with a durable client must be async.")
