"""What a worker is told from outside; each worker adds its own fields."""

import os
import socket
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class StorageSettings(BaseSettings):
    """Where blobs lie: by connection string, or by account URL and the process's identity."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    azure_storage_connection_string: SecretStr | None = None
    """Connection string of the storage account; Azurite's on a laptop."""
    azure_storage_account_url: str = ""
    """`https://ACCOUNT.blob.core.windows.net`, reached as the process's identity."""
    storage_connect_timeout_seconds: Annotated[float, Field(gt=0)] = 5.0
    """How long to wait for a connection to storage, each try."""
    storage_read_timeout_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How long storage may be silent, each try."""
    storage_retries: Annotated[int, Field(ge=0, le=10)] = 3
    """How often a request to storage is repeated."""
    storage_single_upload_bytes: Annotated[int, Field(gt=0)] = 8 * 1024**2
    """Larger blobs go up in blocks."""
    storage_block_bytes: Annotated[int, Field(gt=0)] = 4 * 1024**2
    """Size of a block up or down; what one transfer holds in memory."""

    @model_validator(mode="after")
    def _storage_is_named(self) -> Self:
        if self.azure_storage_connection_string is None and not self.azure_storage_account_url:
            raise ValueError("set AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_ACCOUNT_URL")
        return self


class WorkerSettings(StorageSettings):
    """What every worker needs; environment variables are the names in capitals."""

    service_bus_connection_string: SecretStr | None = None
    """Connection string of the namespace; with `UseDevelopmentEmulator=true` for the local broker."""
    service_bus_namespace: str = ""
    """`NAME.servicebus.windows.net`, reached as the process's identity."""
    worker_id: str = Field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}")
    """Names this process in events and logs; unless set, by host (on Kubernetes the pod) and process id."""
    health_host: str = "127.0.0.1"
    """Address of /health, /ready and /metrics; 0.0.0.0 in a container."""
    health_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Port of the same; 0 takes a free one and logs it."""
    max_concurrent_steps: Annotated[int, Field(ge=1, le=64)] = 1
    """How many messages are held and worked on at once."""
    receive_wait_seconds: Annotated[float, Field(gt=0, le=60)] = 2.0
    """How long one receive waits for a message; also how long an idle worker takes to end after SIGTERM."""
    drain_seconds: Annotated[float, Field(ge=0)] = 120.0
    """After SIGTERM: how long running work may take to finish before its messages go back."""
    hang_seconds: Annotated[float, Field(gt=0)] = 120.0
    """How long work that nobody waits for any more may take to end before the process gives itself up."""
    backoff_seconds: Annotated[float, Field(gt=0)] = 1.0
    """First pause after the broker or storage was away; doubles up to `longest_backoff_seconds`."""
    longest_backoff_seconds: Annotated[float, Field(gt=0)] = 30.0
    """Longest pause before trying again."""
    cancel_check_seconds: Annotated[float, Field(gt=0)] = 1.0
    """How often, at most, a running step looks for its run's cancel marker."""
    ready_check_seconds: Annotated[float, Field(gt=0)] = 10.0
    """How often queue and storage are looked at for /ready."""
    workspace_dir: str = ""
    """Folder for temporary files; empty: the system's own. It must hold the largest source file."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""

    @model_validator(mode="after")
    def _queue_is_named(self) -> Self:
        if self.service_bus_connection_string is None and not self.service_bus_namespace:
            raise ValueError("set SERVICE_BUS_CONNECTION_STRING or SERVICE_BUS_NAMESPACE")
        return self
