"""What can go wrong in the host, as one tree.

* HostError
  + AppLoadError                     the app cannot be served as it is (exit code 2)
    - AppImportError
    - NoFunctionAppError
    - SeveralFunctionAppsError
    - NoFunctionsError
    - InvalidFunctionError
    - UnsupportedBindingError
  + HostConfigurationError           host.json, settings or the port (exit code 2)
    - InvalidHostJsonError
    - MissingAppSettingError
    - InvalidAppSettingError
    - PortTakenError
    - DatabaseTakenError
    - DatabaseUnusableError
  + InvocationError
    - FunctionTimeoutError
    - FunctionAbortedError
"""

from __future__ import annotations

from typing import ClassVar


class HostError(Exception):
    """The functions host failed."""

    code: ClassVar[str] = "host_error"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str | None = None) -> None:
        promise = (self.__doc__ or "").strip().splitlines()[0]
        super().__init__(f"{promise} {detail}" if detail else promise)


class AppLoadError(HostError):
    """The app cannot be loaded."""

    code = "app_load_failed"


class AppImportError(AppLoadError):
    """The app's module cannot be imported."""

    code = "app_import_failed"


class NoFunctionAppError(AppLoadError):
    """The app's module has no function app at its top level."""

    code = "no_function_app"


class SeveralFunctionAppsError(AppLoadError):
    """The app's module has more than one function app at its top level; the worker takes exactly one."""

    code = "several_function_apps"


class NoFunctionsError(AppLoadError):
    """The app has no functions."""

    code = "no_functions"


class InvalidFunctionError(AppLoadError):
    """A function of the app is not valid."""

    code = "invalid_function"


class UnsupportedBindingError(AppLoadError):
    """The app uses a binding that this host does not serve."""

    code = "unsupported_binding"


class HostConfigurationError(HostError):
    """The host's own configuration is wrong."""

    code = "host_configuration_error"


class InvalidHostJsonError(HostConfigurationError):
    """host.json cannot be obeyed."""

    code = "invalid_host_json"


class MissingAppSettingError(HostConfigurationError):
    """An app setting that a binding names is missing."""

    code = "missing_app_setting"


class InvalidAppSettingError(HostConfigurationError):
    """An app setting or environment variable has a value that cannot be used."""

    code = "invalid_app_setting"


class PortTakenError(HostConfigurationError):
    """The port is taken."""

    code = "port_taken"


class DatabaseTakenError(HostConfigurationError):
    """Another host uses the same database folder."""

    code = "database_taken"


class DatabaseUnusableError(HostConfigurationError):
    """The host cannot open its database."""

    code = "database_unusable"


class InvocationError(HostError):
    """A function failed."""

    code = "invocation_failed"
    retryable = True


class FunctionTimeoutError(InvocationError):
    """The function ran longer than functionTimeout in host.json allows."""

    code = "function_timed_out"


class FunctionAbortedError(InvocationError):
    """The function ended by cancelling itself or by leaving the process, and not by returning or raising."""

    code = "function_aborted"
