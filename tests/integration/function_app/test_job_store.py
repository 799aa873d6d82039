"""The promises of the job store, kept by PostgreSQL and by the twin in memory alike."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from contracts import errors as contract_errors
from contracts import events, jobs, results, steps
from contracts.jobs import JobStatus
from contracts.steps import Step, StepStatus
from function_app import errors
from function_app.store import job_store, memory, postgres
from tests.integration.function_app import store_fixtures as given

ERROR = results.RunError(step=Step.LID, code=contract_errors.ErrorCode.TIMED_OUT, message="It took too long.")


@pytest.fixture(scope="module")
def postgres_store(database_url: str) -> Iterator[postgres.PostgresJobStore]:
    store = postgres.connect(given.store_settings(database_url))
    store.migrate()
    yield store
    store.close()


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> job_store.JobStore:
    if request.param == "memory":
        return memory.MemoryJobStore()
    real: job_store.JobStore = request.getfixturevalue("postgres_store")
    return real


def reread(store: job_store.JobStore, job: job_store.Job) -> job_store.Job:
    return store.get(tenant_id=job.tenant_id, job_id=job.job_id)


# Creating and finding


def test_created_job_reads_back_with_a_pending_row_for_each_step(store: job_store.JobStore) -> None:
    new = given.new_job(file_name="Besprechung 你好.m4a", source_language="es")
    created = store.create(new)
    assert created == store.get(tenant_id=given.TENANT, job_id=new.job_id) == store.find(new.job_id)
    assert (created.status, created.run, created.language) == (JobStatus.PENDING_UPLOAD, 1, "es")
    assert created.metadata == {"customer": "4711"}
    assert created.file_name == "Besprechung 你好.m4a"
    assert created.created_at == created.updated_at
    assert created.created_at.tzinfo is not None
    assert [one.step for one in created.steps] == list(Step)
    assert {one.status for one in created.steps} == {StepStatus.PENDING}
    assert {(one.audio_seconds_done, one.chunks_done) for one in created.steps} == {(None, None)}


def test_creating_the_same_job_again_changes_nothing(store: job_store.JobStore) -> None:
    new = given.new_job()
    created = store.create(new)
    store.queue(job_id=new.job_id, source=given.SOURCE)
    again = store.create(new)
    assert again.status is JobStatus.QUEUED
    assert again.created_at == created.created_at


def test_job_of_another_tenant_is_not_found(store: job_store.JobStore) -> None:
    job_id = store.create(given.new_job(tenant_id="other")).job_id
    with pytest.raises(errors.JobNotFoundError):
        store.get(tenant_id=given.TENANT, job_id=job_id)
    with pytest.raises(errors.JobNotFoundError):
        store.cancel(tenant_id=given.TENANT, job_id=job_id)
    found = store.find(job_id)
    assert found is not None
    assert found.status is JobStatus.PENDING_UPLOAD


def test_unknown_job_is_none_for_find_and_an_error_for_get(store: job_store.JobStore) -> None:
    assert store.find("nobody") is None
    with pytest.raises(errors.JobNotFoundError):
        store.get(tenant_id=given.TENANT, job_id="nobody")


# The job's transitions, row by row


def _move(store: job_store.JobStore, job: job_store.Job, status: JobStatus) -> None:
    """Asks the store for the move; a refusal is an answer, or for `cancel` an error."""
    end = job_store.RunEnd(status=status) if status in jobs.TERMINAL else None
    moves: dict[JobStatus, Callable[[], object]] = {
        JobStatus.QUEUED: lambda: store.queue(job_id=job.job_id, source=given.SOURCE),
        JobStatus.PROCESSING: lambda: store.begin_run(job_id=job.job_id, run=1),
        JobStatus.CANCELLED: lambda: store.cancel(tenant_id=job.tenant_id, job_id=job.job_id),
        JobStatus.EXPIRED: lambda: store.expire(job_id=job.job_id, error=given.NO_UPLOAD),
    }
    with contextlib.suppress(errors.TransitionRefusedError):
        if status in moves:
            moves[status]()
        elif end is not None:
            store.end_run(job_id=job.job_id, run=1, end=end)


@pytest.mark.parametrize(
    ("current", "following"),
    [
        (current, following)
        for current in JobStatus
        for following in JobStatus
        if following is not JobStatus.PENDING_UPLOAD and following is not current
    ],
)
def test_job_moves_exactly_as_the_table_of_transitions_says(
    store: job_store.JobStore, current: JobStatus, following: JobStatus
) -> None:
    before = given.job_in(store, current)
    _move(store, before, following)
    after = reread(store, before)
    if jobs.may_follow(current, following):
        assert after.status is following
        assert (after.finished_at is not None) is (following in jobs.TERMINAL)
    else:
        assert after == before


def test_expired_job_keeps_why(store: job_store.JobStore) -> None:
    assert given.job_in(store, JobStatus.EXPIRED).error == given.NO_UPLOAD


@pytest.mark.parametrize("status", list(JobStatus))
def test_repeating_a_move_changes_nothing(store: job_store.JobStore, status: JobStatus) -> None:
    before = given.job_in(store, status)
    if status is not JobStatus.PENDING_UPLOAD:
        _move(store, before, status)
    assert reread(store, before) == before


def test_ending_a_run_in_a_status_that_ends_nothing_is_a_mistake(store: job_store.JobStore) -> None:
    job = given.job_in(store, JobStatus.PROCESSING)
    with pytest.raises(ValueError, match="ends no run"):
        store.end_run(job_id=job.job_id, run=1, end=job_store.RunEnd(status=JobStatus.QUEUED))


def test_only_the_first_of_two_sources_is_pinned(store: job_store.JobStore) -> None:
    job = given.job_in(store, JobStatus.PENDING_UPLOAD)
    other = given.SOURCE.model_copy(update={"etag": '"0x2"'})
    assert store.queue(job_id=job.job_id, source=given.SOURCE)
    assert not store.queue(job_id=job.job_id, source=other)
    assert reread(store, job).source == given.SOURCE


def test_one_of_many_simultaneous_calls_wins_the_queue(store: job_store.JobStore) -> None:
    job = given.job_in(store, JobStatus.PENDING_UPLOAD)
    start, won = threading.Barrier(6), []

    def race() -> None:
        start.wait(10)
        won.append(store.queue(job_id=job.job_id, source=given.SOURCE))

    threads = [threading.Thread(target=race) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(won) == [False] * 5 + [True]


def test_begun_run_is_answered_again_but_not_once_it_is_over(store: job_store.JobStore) -> None:
    job = given.job_in(store, JobStatus.QUEUED)
    first = store.begin_run(job_id=job.job_id, run=1)
    assert first is not None
    assert first.started_at is not None
    assert store.begin_run(job_id=job.job_id, run=1) == first
    store.cancel(tenant_id=given.TENANT, job_id=job.job_id)
    assert store.begin_run(job_id=job.job_id, run=1) is None
    assert store.begin_run(job_id="nobody", run=1) is None


def test_another_run_than_the_current_one_writes_nothing(store: job_store.JobStore) -> None:
    job = given.job_in(store, JobStatus.PROCESSING)
    assert store.begin_run(job_id=job.job_id, run=2) is None
    assert not store.end_run(job_id=job.job_id, run=2, end=job_store.RunEnd(status=JobStatus.FAILED))
    store.begin_step(job_id=job.job_id, run=2, step=Step.PREPARE, attempt=1)
    store.record_language(job_id=job.job_id, run=2, language="es", confidence=0.5, duration_seconds=1.0)
    ended = job_store.StepEnd(step=Step.PREPARE, attempt=1, status=StepStatus.FAILED)
    store.end_step(job_id=job.job_id, run=2, end=ended)
    assert reread(store, job) == job


def test_end_of_a_run_keeps_what_was_known_and_cancels_open_steps(store: job_store.JobStore) -> None:
    job = given.job_in(store, JobStatus.PROCESSING)
    given.bring_step_into(store, job.job_id, Step.PREPARE, StepStatus.COMPLETED)
    given.bring_step_into(store, job.job_id, Step.LID, StepStatus.PROCESSING)
    store.record_language(job_id=job.job_id, run=1, language="es", confidence=0.9, duration_seconds=12.5)
    end = job_store.RunEnd(status=JobStatus.FAILED, error=ERROR, duration_seconds=13.0)
    assert store.end_run(job_id=job.job_id, run=1, end=end)
    assert not store.end_run(job_id=job.job_id, run=1, end=end)
    ended = reread(store, job)
    assert (ended.language, ended.language_confidence, ended.duration_seconds) == ("es", 0.9, 13.0)
    assert ended.error == ERROR
    statuses = [one.status for one in ended.steps]
    assert statuses == [StepStatus.COMPLETED] + [StepStatus.CANCELLED] * 4
    assert all(one.finished_at is not None for one in ended.steps)


def test_language_of_a_run_grows_and_repeats_change_nothing(store: job_store.JobStore) -> None:
    job = given.job_in(store, JobStatus.PROCESSING)
    store.record_language(job_id=job.job_id, run=1, language=None, confidence=None, duration_seconds=60.0)
    store.record_language(job_id=job.job_id, run=1, language="yue", confidence=0.75, duration_seconds=None)
    known = reread(store, job)
    assert (known.language, known.language_confidence, known.duration_seconds) == ("yue", 0.75, 60.0)
    store.record_language(job_id=job.job_id, run=1, language="yue", confidence=0.75, duration_seconds=60.0)
    store.record_language(job_id=job.job_id, run=1, language=None, confidence=None, duration_seconds=None)
    assert reread(store, job) == known


def test_cancelled_job_answers_the_same_again_and_an_ended_one_refuses(store: job_store.JobStore) -> None:
    job = given.job_in(store, JobStatus.PROCESSING)
    first = store.cancel(tenant_id=given.TENANT, job_id=job.job_id)
    assert store.cancel(tenant_id=given.TENANT, job_id=job.job_id) == first
    ended = given.job_in(store, JobStatus.COMPLETED)
    with pytest.raises(errors.TransitionRefusedError) as refused:
        store.cancel(tenant_id=given.TENANT, job_id=ended.job_id)
    assert refused.value.status is JobStatus.COMPLETED


# Steps


@pytest.mark.parametrize(
    ("current", "following"),
    [(c, f) for c in StepStatus for f in StepStatus if f is not StepStatus.PENDING and f is not c],
)
def test_step_moves_exactly_as_the_table_of_transitions_says(
    store: job_store.JobStore, current: StepStatus, following: StepStatus
) -> None:
    job = given.job_in(store, JobStatus.PROCESSING)
    given.bring_step_into(store, job.job_id, Step.LID, current)
    before = given.step_of(store, job.job_id, Step.LID)
    assert before.status is current
    if following is StepStatus.PROCESSING:
        store.begin_step(job_id=job.job_id, run=1, step=Step.LID, attempt=1)
    else:
        end = job_store.StepEnd(step=Step.LID, attempt=1, status=following, error=ERROR)
        store.end_step(job_id=job.job_id, run=1, end=end)
    after = given.step_of(store, job.job_id, Step.LID)
    if steps.may_follow(current, following):
        assert after.status is following
        assert (after.finished_at is not None) is (following in steps.TERMINAL)
    else:
        assert after == before


def test_step_goes_to_a_higher_attempt_and_never_to_a_lower_one(store: job_store.JobStore) -> None:
    job = given.job_in(store, JobStatus.PROCESSING)
    for attempt in (2, 1, 2):
        store.begin_step(job_id=job.job_id, run=1, step=Step.PREPARE, attempt=attempt)
    late = job_store.StepEnd(step=Step.PREPARE, attempt=1, status=StepStatus.FAILED, error=ERROR)
    store.end_step(job_id=job.job_id, run=1, end=late)
    record = given.step_of(store, job.job_id, Step.PREPARE)
    assert (record.attempt, record.status, record.error) == (2, StepStatus.PROCESSING, None)


def test_repeated_step_writes_change_nothing(store: job_store.JobStore) -> None:
    job = given.job_in(store, JobStatus.PROCESSING)
    end = job_store.StepEnd(step=Step.PREPARE, attempt=1, status=StepStatus.COMPLETED)
    store.begin_step(job_id=job.job_id, run=1, step=Step.PREPARE, attempt=1)
    store.end_step(job_id=job.job_id, run=1, end=end)
    once = reread(store, job)
    store.begin_step(job_id=job.job_id, run=1, step=Step.PREPARE, attempt=1)
    store.begin_step(job_id=job.job_id, run=1, step=Step.PREPARE, attempt=2)
    store.end_step(job_id=job.job_id, run=1, end=end)
    assert reread(store, job) == once


def test_skipped_step_says_why(store: job_store.JobStore) -> None:
    job = given.job_in(store, JobStatus.PROCESSING)
    skip = job_store.StepEnd(
        step=Step.TRANSLATE,
        attempt=0,
        status=StepStatus.SKIPPED,
        skipped_because="the language is en already",
    )
    store.end_step(job_id=job.job_id, run=1, end=skip)
    record = given.step_of(store, job.job_id, Step.TRANSLATE)
    assert (record.status, record.skipped_because) == (StepStatus.SKIPPED, "the language is en already")


def test_step_that_its_workflow_does_not_have_is_not_made(store: job_store.JobStore) -> None:
    job_id = store.create(given.new_job(workflow=jobs.Workflow.LID_ONLY)).job_id
    store.queue(job_id=job_id, source=given.SOURCE)
    store.begin_run(job_id=job_id, run=1)
    store.begin_step(job_id=job_id, run=1, step=Step.TRANSCRIBE, attempt=1)
    store.record_chunk(job_id=job_id, run=1, step=Step.TRANSCRIBE, outcome=_chunk(0, 1))
    job = store.find(job_id)
    assert job is not None
    assert [one.step for one in job.steps] == [Step.PREPARE, Step.LID]


# Chunks


def _chunk(
    chunk: int, attempt: int, status: StepStatus = StepStatus.COMPLETED, audio_seconds: float = 10.0
) -> job_store.ChunkOutcome:
    error = None if status is StepStatus.COMPLETED else ERROR
    usage = events.Usage(gpu_seconds=0.5, worker_id="w1")
    return job_store.ChunkOutcome(
        chunk=chunk, attempt=attempt, status=status, audio_seconds=audio_seconds, error=error, usage=usage
    )


def _transcribing(store: job_store.JobStore, chunks_total: int = 3) -> job_store.Job:
    job = given.job_in(store, JobStatus.PROCESSING)
    store.begin_step(
        job_id=job.job_id,
        run=1,
        step=Step.TRANSCRIBE,
        attempt=1,
        audio_seconds_total=30.0,
        chunks_total=chunks_total,
    )
    return job


@pytest.mark.parametrize(
    ("outcomes", "chunks_done", "seconds_done", "attempt"),
    [
        pytest.param([], 0, 0.0, 1, id="nothing yet"),
        pytest.param([_chunk(0, 1), _chunk(1, 1)], 2, 20.0, 1, id="two done"),
        pytest.param([_chunk(0, 1), _chunk(0, 1)], 1, 10.0, 1, id="twice the same"),
        pytest.param([_chunk(0, 1, StepStatus.FAILED)], 0, 0.0, 1, id="failed is not done"),
        pytest.param([_chunk(0, 1, StepStatus.FAILED), _chunk(0, 2)], 1, 10.0, 2, id="retried"),
        pytest.param([_chunk(0, 1), _chunk(0, 2, StepStatus.FAILED)], 1, 10.0, 1, id="never taken back"),
        pytest.param(
            [_chunk(0, 2, StepStatus.FAILED), _chunk(0, 1, StepStatus.FAILED)], 0, 0.0, 2, id="late failure"
        ),
        pytest.param([_chunk(0, 2, StepStatus.FAILED), _chunk(0, 1)], 0, 0.0, 2, id="highest attempt counts"),
        pytest.param([_chunk(0, 1, StepStatus.FAILED), _chunk(0, 1)], 1, 10.0, 1, id="completed after all"),
    ],
)
def test_progress_sums_the_chunks_that_are_done(
    store: job_store.JobStore,
    outcomes: list[job_store.ChunkOutcome],
    chunks_done: int,
    seconds_done: float,
    attempt: int,
) -> None:
    job = _transcribing(store)
    for outcome in outcomes:
        store.record_chunk(job_id=job.job_id, run=1, step=Step.TRANSCRIBE, outcome=outcome)
    record = given.step_of(store, job.job_id, Step.TRANSCRIBE)
    assert (record.chunks_done, record.chunks_total) == (chunks_done, 3)
    assert (record.audio_seconds_done, record.audio_seconds_total) == (seconds_done, 30.0)
    assert record.attempt == attempt


def test_chunks_after_the_end_of_step_or_run_change_nothing(store: job_store.JobStore) -> None:
    job = _transcribing(store)
    store.record_chunk(job_id=job.job_id, run=1, step=Step.TRANSCRIBE, outcome=_chunk(0, 1))
    end = job_store.StepEnd(step=Step.TRANSCRIBE, attempt=1, status=StepStatus.COMPLETED)
    store.end_step(job_id=job.job_id, run=1, end=end)
    over = reread(store, job)
    store.record_chunk(job_id=job.job_id, run=1, step=Step.TRANSCRIBE, outcome=_chunk(1, 1))
    assert reread(store, job) == over
    store.end_run(job_id=job.job_id, run=1, end=job_store.RunEnd(status=JobStatus.COMPLETED))
    over = reread(store, job)
    store.record_chunk(job_id=job.job_id, run=1, step=Step.TRANSCRIBE, outcome=_chunk(1, 1))
    assert reread(store, job) == over


def test_chunks_recorded_by_many_threads_are_all_counted(store: job_store.JobStore) -> None:
    job = _transcribing(store, chunks_total=32)

    def lane(first: int) -> None:
        for chunk in range(first, 32, 8):
            store.record_chunk(job_id=job.job_id, run=1, step=Step.TRANSCRIBE, outcome=_chunk(chunk, 1))

    threads = [threading.Thread(target=lane, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    record = given.step_of(store, job.job_id, Step.TRANSCRIBE)
    assert (record.chunks_done, record.audio_seconds_done) == (32, 320.0)


# Lists


def _ids(page: job_store.JobPage) -> list[str]:
    return [job.job_id for job in page.jobs]


def test_list_pages_newest_first_without_gap_or_repeat(store: job_store.JobStore) -> None:
    tenant = "paging"
    made = [store.create(given.new_job(tenant_id=tenant)) for _ in range(7)]
    expected = [
        job.job_id for job in sorted(made, key=lambda job: (job.created_at, job.job_id), reverse=True)
    ]
    seen: list[str] = []
    cursor = None
    while True:
        page = store.list(tenant_id=tenant, job_filter=job_store.JobFilter(), cursor=cursor, limit=3)
        seen += _ids(page)
        # A job that is new while somebody pages shifts nothing.
        store.create(given.new_job(tenant_id=tenant))
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == expected


def test_last_page_that_is_full_has_no_cursor(store: job_store.JobStore) -> None:
    for _ in range(2):
        store.create(given.new_job(tenant_id="full"))
    page = store.list(tenant_id="full", job_filter=job_store.JobFilter(), cursor=None, limit=2)
    assert len(page.jobs) == 2
    assert page.next_cursor is None


def test_filters_of_the_list_narrow_it_together(store: job_store.JobStore) -> None:
    tenant = "filters"
    spanish = store.create(given.new_job(tenant_id=tenant, source_language="es"))
    lid = store.create(given.new_job(tenant_id=tenant, workflow=jobs.Workflow.LID_ONLY))
    store.expire(job_id=lid.job_id, error=given.NO_UPLOAD)

    def listed(**wanted: object) -> list[str]:
        job_filter = job_store.JobFilter(**wanted)  # type: ignore[arg-type] # the table's values
        return _ids(store.list(tenant_id=tenant, job_filter=job_filter, cursor=None, limit=10))

    both = [lid.job_id, spanish.job_id]
    assert sorted(listed()) == sorted(both)
    assert listed(status=JobStatus.EXPIRED) == [lid.job_id]
    assert listed(workflow=jobs.Workflow.FULL_PIPELINE) == [spanish.job_id]
    assert listed(language="es") == [spanish.job_id]
    assert listed(language="es", status=JobStatus.EXPIRED) == []
    assert sorted(listed(created_from=spanish.created_at)) == sorted(both)
    assert listed(created_before=spanish.created_at) == []


def test_list_shows_one_tenant_only(store: job_store.JobStore) -> None:
    store.create(given.new_job(tenant_id="theirs"))
    page = store.list(tenant_id="ours", job_filter=job_store.JobFilter(), cursor=None, limit=10)
    assert page == job_store.JobPage(jobs=(), next_cursor=None)


@pytest.mark.parametrize("cursor", ["", "x", "bm9wZQ", "W10", "🙂", "WyIyMDI2IiwgMV0"])
def test_foreign_cursor_is_refused(store: job_store.JobStore, cursor: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        store.list(tenant_id=given.TENANT, job_filter=job_store.JobFilter(), cursor=cursor, limit=10)


def test_sweep_reads_the_jobs_of_a_status_oldest_first_page_by_page(store: job_store.JobStore) -> None:
    made = [given.job_in(store, JobStatus.QUEUED) for _ in range(3)]
    later = datetime.now(UTC) + timedelta(minutes=1)
    first = store.with_status(status=JobStatus.QUEUED, updated_before=later, limit=2)
    assert [job.updated_at for job in first] == sorted(job.updated_at for job in first)
    seen: set[str] = set()
    after: job_store.Job | None = None
    while found := store.with_status(status=JobStatus.QUEUED, updated_before=later, limit=2, after=after):
        assert not seen & {job.job_id for job in found}
        seen |= {job.job_id for job in found}
        after = found[-1]
    assert {job.job_id for job in made} <= seen
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    assert not store.with_status(status=JobStatus.QUEUED, updated_before=long_ago, limit=2)
