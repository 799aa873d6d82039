"""Real servers for the worker tests, one of each per module."""

from tests.integration.worker_kit.servers import broker, storage

__all__ = ["broker", "storage"]
