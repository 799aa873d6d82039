"""The drop folder's files in PostgreSQL."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from contracts import drop_folder, jobs
from function_app.store import database, dropped_files, job_store, rows, statements, tables
from function_app.store.dropped_files import FileStatus, Told

_FILE = tables.dropped_files.c

_AGE: Final = sa.extract("epoch", sa.func.now() - _FILE.seen_at).label("age_seconds")


class PostgresDroppedFiles:
    """Keeps the promises of `dropped_files.DroppedFileStore`; any thread may use it."""

    def __init__(self, connected: database.Database) -> None:
        self._database = connected

    def see(self, *versions: dropped_files.Version) -> None:
        if not versions:
            return
        new = {"status": FileStatus.SETTLING, "told": Told.NOTHING}
        values = [_key(version) | new for version in versions]
        statement = postgresql.insert(tables.dropped_files).on_conflict_do_nothing()
        self._database.run(lambda connection: connection.execute(statement, values))

    def latest(self, *, tenant_id: str, path: str) -> dropped_files.DroppedFile | None:
        same = (_FILE.tenant_id == tenant_id, _FILE.path == path)
        found = self._read(_select().where(*same).order_by(_FILE.seen_at.desc()).limit(1))
        return found[0] if found else None

    def of_job(self, job_id: str) -> dropped_files.DroppedFile | None:
        found = self._read(_select().where(_FILE.job_id == job_id))
        return found[0] if found else None

    def settling(self, *, limit: int) -> Sequence[dropped_files.DroppedFile]:
        # `told` is for the index's sake: what settles has told nobody anything.
        waiting = _select().where(_FILE.status == FileStatus.SETTLING, _FILE.told != Told.END)
        return self._read(waiting.order_by(_FILE.seen_at).limit(limit))

    def take(
        self, version: dropped_files.Version, job: job_store.NewJob, *, manifest_etag: str | None
    ) -> job_store.Job | None:
        def work(connection: sa.Connection) -> job_store.Job | None:
            # The job first, because the file refers to it; an answer that was lost finds both there.
            held = connection.execute(
                _select().where(*_this(version)).with_for_update(of=tables.dropped_files)
            )
            row = held.first()
            if row is None or (row.status, row.job_id) not in (
                (FileStatus.SETTLING, None),
                (FileStatus.TAKEN, job.job_id),
            ):
                return None
            statements.insert_job(connection, job)
            taken = {"status": FileStatus.TAKEN, "job_id": job.job_id, "manifest_etag": manifest_etag}
            connection.execute(_update(version, taken | {"rejection": None}))
            return rows.read_job(connection, job.job_id)

        return self._database.run(work)

    def reject(
        self,
        version: dropped_files.Version,
        rejection: drop_folder.Rejection,
        *,
        manifest_etag: str | None,
    ) -> bool:
        return self._decide(
            version,
            {
                "status": FileStatus.REJECTED,
                "manifest_etag": manifest_etag,
                "rejection": rejection.model_dump(mode="json"),
            },
        )

    def replace(self, version: dropped_files.Version) -> bool:
        return self._decide(version, {"status": FileStatus.REPLACED, "told": Told.END})

    def try_again(self, *, tenant_id: str, path: str, manifest_etag: str) -> bool:
        last = self.latest(tenant_id=tenant_id, path=path)
        if last is None:
            return False
        another = _FILE.manifest_etag.is_distinct_from(manifest_etag)
        again = {"status": FileStatus.SETTLING, "told": Told.NOTHING, "seen_at": sa.func.now()}
        statement = _update(last.version, again).where(_FILE.status == FileStatus.REJECTED, another)
        return self._database.run(lambda connection: connection.execute(statement).rowcount == 1)

    def untold(self, *, limit: int) -> Sequence[dropped_files.DroppedFile]:
        decided = _FILE.status.in_((FileStatus.TAKEN, FileStatus.REJECTED))
        ended = sa.exists().where(
            tables.jobs.c.job_id == _FILE.job_id, tables.jobs.c.status.in_(jobs.TERMINAL)
        )
        news = sa.or_(_FILE.told == Told.NOTHING, sa.and_(_FILE.told == Told.BEGINNING, ended))
        statement = _select().where(decided, _FILE.told != Told.END, news)
        return self._read(statement.order_by(_FILE.seen_at).limit(limit))

    def tell(self, file: dropped_files.DroppedFile, told: Told) -> None:
        less = [one for one in _ORDER if _ORDER[one] < _ORDER[told]]
        same = _FILE.manifest_etag.is_not_distinct_from(file.manifest_etag)
        statement = _update(file.version, {"told": told}).where(
            _FILE.told.in_(less), _FILE.status == file.status, same
        )
        self._database.run(lambda connection: connection.execute(statement))

    def _decide(self, version: dropped_files.Version, values: dict[str, Any]) -> bool:
        statement = _update(version, values).where(_FILE.status == FileStatus.SETTLING)
        return self._database.run(lambda connection: connection.execute(statement).rowcount == 1)

    def _read(self, statement: sa.Select[Any]) -> Sequence[dropped_files.DroppedFile]:
        return self._database.run(lambda connection: [_dropped(row) for row in connection.execute(statement)])


_ORDER: Final = {told: place for place, told in enumerate(Told)}


def _select() -> sa.Select[Any]:
    return sa.select(tables.dropped_files, _AGE)


def _key(version: dropped_files.Version) -> dict[str, Any]:
    return {"tenant_id": version.tenant_id, "path": version.path, "etag": version.etag}


def _this(version: dropped_files.Version) -> tuple[sa.ColumnElement[bool], ...]:
    return tuple(_FILE[name] == value for name, value in _key(version).items())


def _update(version: dropped_files.Version, values: dict[str, Any]) -> sa.Update:
    return sa.update(tables.dropped_files).where(*_this(version)).values(values)


def _dropped(row: Any) -> dropped_files.DroppedFile:
    return dropped_files.DroppedFile(
        version=dropped_files.Version(tenant_id=row.tenant_id, path=row.path, etag=row.etag),
        status=FileStatus(row.status),
        age_seconds=float(row.age_seconds),
        told=Told(row.told),
        job_id=row.job_id,
        manifest_etag=row.manifest_etag,
        rejection=drop_folder.Rejection.model_validate(row.rejection) if row.rejection else None,
    )
