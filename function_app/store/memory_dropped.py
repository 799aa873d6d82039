"""The drop folder's files in memory: the twin of `postgres_dropped`, over the job store's own twin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from contracts import drop_folder, jobs
from function_app.store import dropped_files, job_store
from function_app.store.dropped_files import FileStatus, Told

if TYPE_CHECKING:
    from function_app.store import memory

_ORDER: Final = {told: place for place, told in enumerate(Told)}


@dataclass(frozen=True, kw_only=True)
class _Kept:
    file: dropped_files.DroppedFile
    seen_at: datetime


class MemoryDroppedFiles:
    """Shares its store's lock and clock."""

    def __init__(self, store: memory.MemoryJobStore) -> None:
        self._store = store
        self._kept: dict[dropped_files.Version, _Kept] = {}

    def see(self, *versions: dropped_files.Version) -> None:
        self._store.ping()
        with self._store.lock:
            for version in versions:
                new = dropped_files.DroppedFile(version=version, status=FileStatus.SETTLING, age_seconds=0.0)
                self._kept.setdefault(version, _Kept(file=new, seen_at=self._store.now()))

    def latest(self, *, tenant_id: str, path: str) -> dropped_files.DroppedFile | None:
        same = [one for one in self._all() if (one.version.tenant_id, one.version.path) == (tenant_id, path)]
        return same[-1] if same else None

    def of_job(self, job_id: str) -> dropped_files.DroppedFile | None:
        return next((one for one in self._all() if one.job_id == job_id), None)

    def settling(self, *, limit: int) -> Sequence[dropped_files.DroppedFile]:
        return [one for one in self._all() if one.status is FileStatus.SETTLING][:limit]

    def take(
        self, version: dropped_files.Version, job: job_store.NewJob, *, manifest_etag: str | None
    ) -> job_store.Job | None:
        with self._store.lock:
            taken = {"job_id": job.job_id, "manifest_etag": manifest_etag, "rejection": None}
            if not self._decide(version, status=FileStatus.TAKEN, **taken):
                return None
            return self._store.create(job)

    def reject(
        self,
        version: dropped_files.Version,
        rejection: drop_folder.Rejection,
        *,
        manifest_etag: str | None,
    ) -> bool:
        return self._decide(
            version, status=FileStatus.REJECTED, rejection=rejection, manifest_etag=manifest_etag
        )

    def replace(self, version: dropped_files.Version) -> bool:
        return self._decide(version, status=FileStatus.REPLACED, told=Told.END)

    def try_again(self, *, tenant_id: str, path: str, manifest_etag: str) -> bool:
        with self._store.lock:
            last = self.latest(tenant_id=tenant_id, path=path)
            if last is None or last.status is not FileStatus.REJECTED or last.manifest_etag == manifest_etag:
                return False
            again = replace(last, status=FileStatus.SETTLING, told=Told.NOTHING)
            self._kept[last.version] = _Kept(file=again, seen_at=self._store.now())
            return True

    def untold(self, *, limit: int) -> Sequence[dropped_files.DroppedFile]:
        return [one for one in self._all() if self._is_untold(one)][:limit]

    def tell(self, file: dropped_files.DroppedFile, told: Told) -> None:
        self._store.ping()
        with self._store.lock:
            kept = self._kept.get(file.version)
            if kept is None or _ORDER[kept.file.told] >= _ORDER[told]:
                return
            if (kept.file.status, kept.file.manifest_etag) == (file.status, file.manifest_etag):
                self._kept[file.version] = replace(kept, file=replace(kept.file, told=told))

    def _is_untold(self, one: dropped_files.DroppedFile) -> bool:
        if one.status not in (FileStatus.TAKEN, FileStatus.REJECTED) or one.told is Told.END:
            return False
        job = self._store.find(one.job_id) if one.job_id else None
        return one.told is Told.NOTHING or (job is not None and job.status in jobs.TERMINAL)

    def _decide(self, version: dropped_files.Version, **news: Any) -> bool:
        self._store.ping()
        with self._store.lock:
            kept = self._kept.get(version)
            if kept is None or kept.file.status is not FileStatus.SETTLING:
                return False
            self._kept[version] = replace(kept, file=replace(kept.file, **news))
            return True

    def _all(self) -> Sequence[dropped_files.DroppedFile]:
        """Oldest first."""
        self._store.ping()
        with self._store.lock:
            now = self._store.now()
            ordered = sorted(self._kept.values(), key=lambda kept: kept.seen_at)
            return [replace(one.file, age_seconds=(now - one.seen_at).total_seconds()) for one in ordered]
