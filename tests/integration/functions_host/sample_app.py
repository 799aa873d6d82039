"""The sample app's settings and what it has written down."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration import azurite_process

UPLOADS = "uploads"
DROPS = "drop-folder"

NO_BROKER = "Endpoint=sb://localhost:9;SharedAccessKeyName=k;SharedAccessKey=k;UseDevelopmentEmulator=true;"


@dataclass(frozen=True, kw_only=True)
class Notes:
    """The JSON lines of the sample app, across all hosts that ran it in this folder."""

    path: Path

    def of(self, kind: str) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        notes = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [note for note in notes if note["kind"] == kind]


@dataclass(frozen=True, kw_only=True)
class Folder:
    """One place for notes and the host's databases: hosts with the same one continue each other."""

    path: Path
    azurite: azurite_process.AzuriteProcess
    service_bus: str = NO_BROKER

    @property
    def notes(self) -> Notes:
        return Notes(path=self.path / "notes.jsonl")

    def release(self, name: str) -> None:
        """Lets end what the sample app holds under that name."""
        self.notes.path.with_name(f"release {name}").touch()

    def settings(self, **more: str) -> dict[str, str]:
        """Quick polls and retries; `more` goes on top."""
        return {
            "STORAGE": self.azurite.connection_string,
            "SERVICE_BUS": self.service_bus,
            "DROP_CONTAINER": DROPS,
            "SAMPLE_NOTES": str(self.notes.path),
            "FUNCTIONS_HOST_DATABASE_DIR": str(self.path / "database"),
            "FUNCTIONS_HOST_BLOB_POLL_SECONDS": "0.1",
            "FUNCTIONS_HOST_BLOB_RETRY_SECONDS": "0.05",
            **more,
        }
