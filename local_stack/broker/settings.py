"""What can be set about the broker; the command line wins over the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read once in main and passed down."""

    model_config = SettingsConfigDict(env_prefix="SPEECHFLOW_BROKER_", frozen=True)

    host: str = "127.0.0.1"
    """Address to listen on. There is no authentication: keep it on this machine."""

    port: int = Field(default=5672, ge=0, le=65535)
    """AMQP port; 0 takes a free one, which the ready line names."""

    counts_port: int | None = Field(default=None, ge=0, le=65535)
    """Port of GET /counts and /health; the AMQP port plus one if absent, 0 takes a free one."""

    state_directory: Path = Path(".speechflow/broker")
    """Where messages are kept between runs."""

    max_message_bytes: int = Field(default=256 * 1024, ge=1024, le=100 * 1024 * 1024)
    """Largest message or batch, as on the wire; 256 KB is the Standard tier's, 1 MB the Premium tier's."""

    max_frame_bytes: int = Field(default=65_536, ge=512, le=1024 * 1024)
    """Largest frame that the broker reads and writes."""

    max_connections: int = Field(default=1_000, ge=1)
    """Connections at a time; clients beyond that are told so and closed."""

    max_links_per_connection: int = Field(default=255, ge=1)
    """Links of one connection over all its sessions."""

    max_queue_bytes: int = Field(default=1024**3, ge=1024)
    """Bytes that a queue and its dead letters may hold, 0.5 KB a message included; 1 GB is Azure's least."""

    max_state_bytes: int = Field(default=0, ge=0)
    """Largest database file; 0: as large as the disk. At the limit sends are refused as on a full disk."""

    body_memory_bytes: int = Field(default=128 * 1024**2, ge=0)
    """Bytes of message bodies kept in memory; the others are read from the file when they are delivered."""

    max_output_bytes: int = Field(default=4 * 1024**2, ge=65_536)
    """Unsent bytes at which a connection is no longer read nor served until its client catches up."""

    handshake_seconds: float = Field(default=30, gt=0)
    """How long a connection may take to open."""

    heartbeat_seconds: float = Field(default=30, gt=0)
    """How often an empty frame goes to every client."""

    store_pause_seconds: float = Field(default=1, gt=0)
    """How long deliveries rest after the file refused a write."""
