"""Finds the app object and its functions as the Functions Python worker does.

The worker imports the module `function_app`, wants exactly one FunctionRegister at its top level, and asks it
for its functions once.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import Any

from azure.functions.decorators import function_app as sdk

from local_stack.functions_host import errors

RETURN_BINDING = "$return"
CONTEXT_PARAMETER = "context"


class Direction(IntEnum):
    """The SDK's numbers."""

    IN = 0
    OUT = 1


@dataclass(frozen=True, kw_only=True)
class Binding:
    """One binding of one function; `options` are its attributes under the names of the decorators."""

    name: str
    kind: str
    direction: Direction
    options: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class BindingUse:
    """A row of the inventory: what the app asks a host for."""

    function: str
    kind: str
    direction: Direction


@dataclass(frozen=True, kw_only=True)
class Function:
    """One function of the app, checked as the worker checks it."""

    name: str
    trigger: Binding
    bindings: tuple[Binding, ...]
    """All of them, the trigger included."""
    call: Callable[..., Any]
    is_async: bool
    wants_context: bool

    @property
    def inputs(self) -> tuple[Binding, ...]:
        """Input bindings beside the trigger."""
        return tuple(b for b in self.bindings if b.direction is Direction.IN and b is not self.trigger)

    @property
    def outputs(self) -> tuple[Binding, ...]:
        return tuple(b for b in self.bindings if b.direction is Direction.OUT)


def load(module_name: str, root: Path) -> tuple[Function, ...]:
    """The functions of the app in `root`, in the order in which they were declared.

    Raises AppLoadError with one sentence for each way that this can fail.
    """
    return functions_of(find_app(_import(module_name, root)))


def find_app(module: ModuleType) -> sdk.FunctionRegister:
    """The one function app at the module's top level, the same object under two names counted once."""
    found = {id(value): value for value in vars(module).values() if isinstance(value, sdk.FunctionRegister)}
    if not found:
        raise errors.NoFunctionAppError(f"Module {module.__name__}: export one FunctionApp or DFApp.")
    if len(found) > 1:
        names = sorted(n for n, v in vars(module).items() if isinstance(v, sdk.FunctionRegister))
        raise errors.SeveralFunctionAppsError(f"Module {module.__name__}: {', '.join(names)}.")
    return next(iter(found.values()))


@functools.cache
def functions_of(app: sdk.FunctionRegister) -> tuple[Function, ...]:
    """Every function of the app; asked for once per app object and remembered.

    A second `get_functions()` raises "does not have a unique function name" for every function
    (azure-functions 1.26), so nothing else may call it.
    """
    try:
        built = app.get_functions()
    except ValueError as error:
        raise errors.InvalidFunctionError(str(error)) from error
    if not built:
        raise errors.NoFunctionsError()
    return tuple(_function(one) for one in built)


def inventory(app: sdk.FunctionRegister) -> tuple[BindingUse, ...]:
    """Every binding that the app uses, so that a test can hold it to what is served."""
    return tuple(
        BindingUse(function=function.name, kind=binding.kind, direction=binding.direction)
        for function in functions_of(app)
        for binding in function.bindings
    )


def is_async(call: Callable[..., Any]) -> bool:
    """Whether the call runs on the event loop."""
    return inspect.iscoroutinefunction(call)


def _import(module_name: str, root: Path) -> ModuleType:
    # The worker puts the app's root first, which is how a package shadows the stub of the same name.
    sys.path.insert(0, str(root))
    try:
        return importlib.import_module(module_name)
    except Exception as error:
        raise errors.AppImportError(f"{module_name} in {root}: {type(error).__name__}: {error}") from error


def _function(built: sdk.Function) -> Function:
    name = str(built.get_function_name())
    call = built.get_user_function()
    if built.get_setting("retry_policy") is not None:
        raise errors.UnsupportedBindingError(f"{name} has a retry policy, and this host does not obey those.")
    bindings = tuple(_binding(one) for one in built.get_bindings())
    trigger = next(
        b for b, raw in zip(bindings, built.get_bindings(), strict=True) if raw is built.get_trigger()
    )
    parameters = _parameters(call)
    _check_parameters(name, parameters, bindings)
    return Function(
        name=name,
        trigger=trigger,
        bindings=bindings,
        call=call,
        is_async=is_async(call),
        wants_context=CONTEXT_PARAMETER in parameters,
    )


def _binding(raw: Any) -> Binding:
    return Binding(
        name=raw.name,
        kind=str(raw.type),
        direction=Direction(raw.direction),
        options={key: value for key, value in vars(raw).items() if not key.startswith("_")},
    )


def _parameters(call: Callable[..., Any]) -> frozenset[str]:
    # An orchestrator's handle takes (context) through __call__; its generator has the name that was declared.
    target = getattr(call, "orchestrator_function", call)
    return frozenset(inspect.signature(target).parameters)


def _check_parameters(name: str, parameters: frozenset[str], bindings: Iterable[Binding]) -> None:
    declared = {b.name for b in bindings if b.name != RETURN_BINDING}
    for missing in sorted(declared - parameters):
        raise errors.InvalidFunctionError(
            f"{name} declares a binding {missing!r} that is not among its parameters."
        )
    for unbound in sorted(parameters - declared - {CONTEXT_PARAMETER}):
        raise errors.InvalidFunctionError(f"{name} has a parameter {unbound!r} that no binding provides.")
