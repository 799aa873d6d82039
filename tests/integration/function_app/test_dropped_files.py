"""The promises of the store of dropped files, kept by PostgreSQL and by the twin in memory alike."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent import futures

import pytest

from contracts import blobs, drop_folder, jobs
from function_app.store import dropped_files, job_store, memory, postgres
from function_app.store.dropped_files import FileStatus, Told
from tests.integration.function_app import store_fixtures

REJECTION = drop_folder.Rejection(code=drop_folder.RejectionCode.FILE_EMPTY, message="Empty.")


@pytest.fixture(scope="module")
def real_store(database_url: str) -> Iterator[postgres.PostgresJobStore]:
    store = postgres.connect(store_fixtures.store_settings(database_url))
    store.migrate()
    yield store
    store.close()


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> job_store.JobStore:
    if request.param == "memory":
        return memory.MemoryJobStore()
    real: job_store.JobStore = request.getfixturevalue("real_store")
    return real


@pytest.fixture
def version() -> dropped_files.Version:
    return dropped_files.Version(
        tenant_id="default", path=f"{uuid.uuid4().hex}/会议 ä.mp3", etag=f'"{uuid.uuid4().hex}"'
    )


def new_job() -> job_store.NewJob:
    source = blobs.BlobReference(container=blobs.Container.DROP_FOLDER, path="a", etag='"1"')
    return store_fixtures.new_job(source=source, glossary={"a": "b"})


def found(store: job_store.JobStore, version: dropped_files.Version) -> dropped_files.DroppedFile:
    one = store.dropped.latest(tenant_id=version.tenant_id, path=version.path)
    assert one is not None
    assert one.version == version
    return one


def test_seen_version_settles_and_is_kept_once(
    store: job_store.JobStore, version: dropped_files.Version
) -> None:
    store.dropped.see(version, version)
    store.dropped.see(version)
    assert [one.version for one in store.dropped.settling(limit=1000)].count(version) == 1
    one = found(store, version)
    assert (one.status, one.told, one.job_id) == (FileStatus.SETTLING, Told.NOTHING, None)
    assert 0 <= one.age_seconds < 60


def test_seeing_nothing_changes_nothing(store: job_store.JobStore) -> None:
    before = [one.version for one in store.dropped.settling(limit=1000)]
    store.dropped.see()
    assert [one.version for one in store.dropped.settling(limit=1000)] == before


def test_taken_file_has_a_queued_job_with_its_source(
    store: job_store.JobStore, version: dropped_files.Version
) -> None:
    store.dropped.see(version)
    new = new_job()
    job = store.dropped.take(version, new, manifest_etag='"m"')
    assert job is not None
    assert (job.status, job.source, job.glossary) == (jobs.JobStatus.QUEUED, new.source, {"a": "b"})
    assert store.find(job.job_id) == job
    one = found(store, version)
    assert (one.status, one.job_id, one.manifest_etag) == (FileStatus.TAKEN, job.job_id, '"m"')
    assert store.dropped.of_job(job.job_id) is not None
    assert store.dropped.take(version, new_job(), manifest_etag=None) is None
    assert store.dropped.reject(version, REJECTION, manifest_etag=None) is False
    assert store.dropped.replace(version) is False
    store.dropped.see(version)
    assert found(store, version).status is FileStatus.TAKEN


def test_only_one_of_many_who_try_at_once_takes_the_file(
    store: job_store.JobStore, version: dropped_files.Version
) -> None:
    store.dropped.see(version)
    mine = [new_job() for _ in range(8)]
    with futures.ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda job: store.dropped.take(version, job, manifest_etag=None), mine))
    (job,) = [one for one in taken if one is not None]
    assert [one.job_id for one in mine if store.find(one.job_id)] == [job.job_id]


def test_unknown_version_is_not_taken_and_makes_no_job(
    store: job_store.JobStore, version: dropped_files.Version
) -> None:
    new = new_job()
    assert store.dropped.take(version, new, manifest_etag=None) is None
    assert store.find(new.job_id) is None
    assert store.dropped.latest(tenant_id="default", path=version.path) is None


def test_rejected_file_settles_again_for_another_manifest_only(
    store: job_store.JobStore, version: dropped_files.Version
) -> None:
    store.dropped.see(version)
    assert store.dropped.reject(version, REJECTION, manifest_etag='"1"')
    assert found(store, version).rejection == REJECTION
    place = {"tenant_id": version.tenant_id, "path": version.path}
    assert not store.dropped.try_again(**place, manifest_etag='"1"')
    store.dropped.tell(found(store, version), Told.END)
    before = found(store, version)
    assert store.dropped.try_again(**place, manifest_etag='"2"')
    assert (found(store, version).status, found(store, version).told) == (
        FileStatus.SETTLING,
        Told.NOTHING,
    )
    store.dropped.tell(before, Told.END)
    assert found(store, version).told is Told.NOTHING, "what was told of the rejection is not of this"
    assert not store.dropped.try_again(**place, manifest_etag='"3"')


def test_untold_are_those_whose_dropper_waits_for_news(
    store: job_store.JobStore, version: dropped_files.Version
) -> None:
    def is_untold() -> bool:
        return version in [one.version for one in store.dropped.untold(limit=1000)]

    store.dropped.see(version)
    assert not is_untold()
    job = store.dropped.take(version, new_job(), manifest_etag=None)
    assert job is not None
    assert is_untold()
    store.dropped.tell(found(store, version), Told.BEGINNING)
    assert not is_untold()
    store.cancel(tenant_id="default", job_id=job.job_id)
    assert is_untold()
    store.dropped.tell(found(store, version), Told.END)
    assert not is_untold()
    store.dropped.tell(found(store, version), Told.BEGINNING)
    assert found(store, version).told is Told.END


def test_replaced_version_is_nobodys(store: job_store.JobStore, version: dropped_files.Version) -> None:
    store.dropped.see(version)
    assert store.dropped.replace(version)
    assert version not in [one.version for one in store.dropped.settling(limit=1000)]
    assert version not in [one.version for one in store.dropped.untold(limit=1000)]
