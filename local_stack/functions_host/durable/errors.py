"""What the durable engine refuses.

DurableError
├── UnknownFunctionError        400  not an orchestrator function of this app
├── InvalidInstanceIdError      400  an id that Azure would refuse
├── InvalidPayloadError         400  not JSON
├── InstanceExistsError         500  an instance of that id is pending or running (the extension answers 500)
├── InstanceNotFoundError       404
├── InstanceFinishedError       410
├── NotBuiltError               501  entities, continue_as_new, suspend, resume, rewind, restart, call_http
├── NonDeterministicError            replay asked for other work than the history holds; fails the instance
├── OrchestrationFailureError        the orchestrator's own failure, as a reason and details
├── EngineStoppedError               the engine takes no more work
└── DatabaseInUseError               another process has the database
"""

from __future__ import annotations

from typing import ClassVar


class DurableError(Exception):
    """Durable operation refused."""

    code: ClassVar[str] = "durable_error"
    retryable: ClassVar[bool] = False
    http_status: ClassVar[int] = 500

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.__doc__)


class UnknownFunctionError(DurableError):
    """The function does not exist in this app or is of another kind."""

    code = "unknown_function"
    http_status = 400


class InvalidInstanceIdError(DurableError):
    """Instance ids have 1 to 256 characters, no @ in front, and no / \\ # ? or control characters."""

    code = "invalid_instance_id"
    http_status = 400


class InvalidPayloadError(DurableError):
    """Invalid JSON content."""

    code = "invalid_payload"
    http_status = 400


class InstanceExistsError(DurableError):
    """An Orchestration instance of that id already exists and has not finished."""

    code = "instance_exists"
    http_status = 500


class InstanceNotFoundError(DurableError):
    """No instance of that id exists."""

    code = "instance_not_found"
    http_status = 404


class InstanceFinishedError(DurableError):
    """The instance has finished."""

    code = "instance_finished"
    http_status = 410


class NotBuiltError(DurableError):
    """The local Functions host does not build this part of Durable Functions."""

    code = "not_built"
    http_status = 501


class NonDeterministicError(DurableError):
    """The orchestrator's replay differs from its history."""

    code = "non_deterministic"


class OrchestrationFailureError(DurableError):
    """The orchestrator function failed; `details` is what the extension keeps beside the reason."""

    code = "orchestration_failed"

    def __init__(self, message: str = "", *, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class EngineStoppedError(DurableError):
    """The engine is stopped and takes no more work."""

    code = "engine_stopped"
    retryable = True


class DatabaseInUseError(DurableError):
    """Another process uses this Durable database."""

    code = "database_in_use"
