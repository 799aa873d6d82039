"""The `context` argument of a function, as the worker gives it."""

from __future__ import annotations

import secrets
import threading
import uuid
from pathlib import Path

import azure.functions as func
from azure.functions import _abc as sdk_abc

# W3C trace context: version, 16-byte trace id, 8-byte span id, flags.
_UNSAMPLED = "00"


class TraceContext(sdk_abc.TraceContext):
    """The caller's trace, or a new one."""

    def __init__(self, trace_parent: str | None) -> None:
        new = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-{_UNSAMPLED}"
        self._trace_parent = trace_parent or new

    @property
    def trace_state(self) -> str:
        return ""

    @property
    def trace_parent(self) -> str:
        return self._trace_parent

    @property
    def attributes(self) -> dict[str, str]:
        return {}


class RetryContext(sdk_abc.RetryContext):
    """Always the first try: functions with a retry policy are refused at the start."""

    @property
    def retry_count(self) -> int:
        return 0

    @property
    def max_retry_count(self) -> int:
        return 0

    @property
    def exception(self) -> sdk_abc.RpcException:
        raise AttributeError("there was no earlier try")


# The SDK wants the annotation of a `context` parameter to be a class of this very name.
class Context(func.Context):
    """One invocation of one function."""

    def __init__(self, *, function: str, directory: Path, trace_parent: str | None = None) -> None:
        self._invocation_id = str(uuid.uuid4())
        self._function = function
        self._directory = directory
        self._trace = TraceContext(trace_parent)
        self._thread_local_storage = threading.local

    @property
    def invocation_id(self) -> str:
        return self._invocation_id

    @property
    def thread_local_storage(self) -> type[threading.local]:
        return self._thread_local_storage

    @property
    def function_name(self) -> str:
        return self._function

    @property
    def function_directory(self) -> str:
        return str(self._directory)

    @property
    def trace_context(self) -> TraceContext:
        return self._trace

    @property
    def retry_context(self) -> RetryContext:
        return RetryContext()
