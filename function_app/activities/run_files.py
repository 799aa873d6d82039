"""The files that a run leaves for people, written once."""

from dataclasses import dataclass
from typing import Final

from contracts import blobs, contract
from function_app import blobs as blob_stores
from function_app import run_inputs

JSON: Final = "application/json"
_CONTENT_TYPES: Final = {
    "json": JSON,
    "txt": "text/plain; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
}


@dataclass(frozen=True, kw_only=True)
class RunFiles:
    """Writes into one run's folder; a name that is taken keeps what it has."""

    store: blob_stores.BlobStore
    identity: run_inputs.RunIdentity

    def write(self, name: str, text: str) -> blobs.BlobReference:
        """Raises BlobsUnavailableError."""
        extension = name.rsplit(".", 1)[-1]
        return self.store.ensure(
            blobs.Container.RESULTS,
            self.path(name),
            text.encode(),
            content_type=_CONTENT_TYPES[extension],
        )

    def path(self, name: str) -> str:
        """In `results`."""
        identity = self.identity
        return blobs.run_file_path(
            tenant_id=identity.tenant_id, job_id=identity.job_id, run=identity.run, name=name
        )


def json_text(value: contract.Contract) -> str:
    """As results are written: readable, UTF-8."""
    return value.model_dump_json(indent=1)
