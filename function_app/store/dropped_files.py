"""What the job store knows of files in the drop folder: each version of each file once.

settling   seen; not looked at before it has been still for a while
taken      it has become a job
rejected   it has not, and its dropper is told why; a better manifest makes it `settling` again
replaced   overwritten or deleted before it was taken
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from contracts import drop_folder

if TYPE_CHECKING:
    from function_app.store import job_store


class FileStatus(StrEnum):
    """Where a version of a file stands."""

    SETTLING = "settling"
    TAKEN = "taken"
    REJECTED = "rejected"
    REPLACED = "replaced"


class Told(StrEnum):
    """What its dropper has been told."""

    NOTHING = "nothing"
    BEGINNING = "beginning"
    END = "end"


@dataclass(frozen=True, kw_only=True)
class Version:
    """Which file in which version."""

    tenant_id: str
    path: str
    etag: str


@dataclass(frozen=True, kw_only=True)
class DroppedFile:
    """A version of a file, and what became of it."""

    version: Version
    status: FileStatus
    age_seconds: float
    """Since it was seen, by the database's clock."""
    told: Told = Told.NOTHING
    job_id: str | None = None
    manifest_etag: str | None = None
    """Of the manifest that it was taken or rejected with."""
    rejection: drop_folder.Rejection | None = None


class DroppedFileStore(Protocol):
    """All methods block, may be repeated, and raise StoreUnavailableError."""

    def see(self, *versions: Version) -> None:
        """`settling`, each unless it is known."""

    def latest(self, *, tenant_id: str, path: str) -> DroppedFile | None:
        """The version that was seen last."""

    def of_job(self, job_id: str) -> DroppedFile | None:
        """The file that the job was made of."""

    def settling(self, *, limit: int) -> Sequence[DroppedFile]:
        """Those that nobody has decided about, oldest first."""

    def take(
        self, version: Version, job: job_store.NewJob, *, manifest_etag: str | None
    ) -> job_store.Job | None:
        """`settling` to `taken`, and its job, `queued`: both or neither.

        None when somebody else has decided about this version.
        """

    def reject(
        self, version: Version, rejection: drop_folder.Rejection, *, manifest_etag: str | None
    ) -> bool:
        """`settling` to `rejected`. True when this call did it."""

    def replace(self, version: Version) -> bool:
        """`settling` to `replaced`. True when this call did it."""

    def try_again(self, *, tenant_id: str, path: str, manifest_etag: str) -> bool:
        """`rejected` to `settling`, where it was not rejected with this manifest. True when this did it."""

    def untold(self, *, limit: int) -> Sequence[DroppedFile]:
        """Those whose dropper does not know yet what became of them, oldest first."""

    def tell(self, file: DroppedFile, told: Told) -> None:
        """Notes what the dropper has been told; never less than before, and only if it is still as it was."""
