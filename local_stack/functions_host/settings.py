"""The host's settings: its own, typed, and the app settings that bindings name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from local_stack.functions_host import errors


class Settings(BaseSettings):
    """Read once in main. The names without FUNCTIONS_HOST_ are those of the real host and worker."""

    model_config = SettingsConfigDict(frozen=True, populate_by_name=True)

    app_settings: Mapping[str, str] = Field(
        default_factory=dict, validation_alias="FUNCTIONS_HOST_NOT_FROM_THE_ENVIRONMENT", repr=False
    )
    """Every environment variable as it was at the start: bindings name their settings in the app's own code,
    so their names cannot be fields here. The values may be secrets."""

    database_dir: Path = Field(
        default=Path(".speechflow/functions_host"), validation_alias="FUNCTIONS_HOST_DATABASE_DIR"
    )
    """Where receipts, schedules and orchestration histories are kept; relative to the app's root."""

    python_threadpool_thread_count: int | None = Field(
        default=None, ge=1, le=32, validation_alias="PYTHON_THREADPOOL_THREAD_COUNT"
    )
    """Threads for functions that are not async; unset: the number of cores and 4 more, as in the worker."""

    request_body_limit_bytes: int = Field(
        default=104_857_600, ge=1, validation_alias="FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
    )
    """A larger request is answered 413."""

    response_limit_seconds: float = Field(
        default=230.0, gt=0, validation_alias="FUNCTIONS_HOST_RESPONSE_LIMIT_SECONDS"
    )
    """After this an HTTP client gets 504 while the function goes on; 230 s in Azure."""

    blob_poll_seconds: float = Field(default=0.5, gt=0, validation_alias="FUNCTIONS_HOST_BLOB_POLL_SECONDS")
    """Pause between two listings of a container."""

    blob_retry_seconds: float = Field(default=1.0, gt=0, validation_alias="FUNCTIONS_HOST_BLOB_RETRY_SECONDS")
    """Wait after a blob's first failed attempt; doubled after each further one."""

    shutdown_seconds: float = Field(default=20.0, gt=0, validation_alias="FUNCTIONS_HOST_SHUTDOWN_SECONDS")
    """How long running functions may take to end after SIGTERM."""

    def connection_string(self, connection: str) -> SecretStr:
        """The value of the app setting that a binding's `connection` names.

        Raises MissingAppSettingError, which says so when only an identity-based connection is there: those
        need Entra ID, which no laptop has.
        """
        # The real host looks under both names, in this order.
        for name in (f"AzureWebJobs{connection}", connection):
            value = self.app_settings.get(name)
            if value:
                return SecretStr(value)
        if any(name.startswith(f"{connection}__") for name in self.app_settings):
            raise errors.MissingAppSettingError(
                f"{connection} must be a connection string here, not an identity."
            )
        raise errors.MissingAppSettingError(f"A binding's connection is {connection}.")


def read() -> Settings:
    """The settings of this process; the only reader of the environment. Raises InvalidAppSettingError."""
    try:
        return Settings(app_settings=dict(os.environ))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise errors.InvalidAppSettingError(f"{first['loc'][0]}: {first['msg']}.") from error
