"""Orphans: instances without a job and work without an owner are found, and nothing else is touched."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.durable_functions import OrchestrationRuntimeStatus

from contracts import blobs, errors, jobs, results
from function_app import errors as app_errors
from function_app import orphans
from function_app.store import job_store
from tests.unit.function_app import api_fixtures

LONG_AGO = timedelta(minutes=6)


@dataclass
class OrphanTwin(api_fixtures.DurableTwin):
    """Answers as Durable does: a page, and no more."""

    terminated: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def get_status_by(
        self,
        created_time_from: datetime | None = None,
        created_time_to: datetime | None = None,
        runtime_status: list[OrchestrationRuntimeStatus] | None = None,
        instance_id_prefix: str | None = None,
    ) -> list[Any]:
        self._check()
        assert created_time_from is None
        assert created_time_to is not None
        assert created_time_to < datetime.now(UTC) - timedelta(minutes=4)
        self.asked.append(instance_id_prefix or "")
        found = [
            _Found(instance_id=one)
            for one, state in sorted(self.states.items())
            if one.startswith(instance_id_prefix or "") and state in (runtime_status or [])
        ]
        return found[: orphans.PAGE]

    async def terminate(self, instance_id: str, reason: str) -> None:
        self._check()
        assert reason
        self.terminated.append(instance_id)


@dataclass(frozen=True, kw_only=True)
class _Found:
    instance_id: str


@pytest.fixture
def api() -> Iterator[api_fixtures.Api]:
    with api_fixtures.running_api() as running:
        yield running


@pytest.fixture
def twin() -> OrphanTwin:
    return OrphanTwin()


@pytest.fixture
def age(api: api_fixtures.Api) -> Callable[[timedelta], None]:
    def shift(by: timedelta) -> None:
        api.store._clock = lambda: datetime.now(UTC) - by

    return shift


RUNNING = OrchestrationRuntimeStatus.Running


def ended(api: api_fixtures.Api) -> str:
    job_id = api.started()
    lost = results.RunError(code=errors.ErrorCode.RUN_LOST, message="Lost.")
    end = job_store.RunEnd(status=jobs.JobStatus.FAILED, error=lost)
    assert api.store.end_run(job_id=job_id, run=1, end=end)
    return job_id


async def test_instance_without_a_job_is_terminated_with_its_children(
    api: api_fixtures.Api, twin: OrphanTwin
) -> None:
    nobody = "a" * 32
    twin.states = dict.fromkeys([f"{nobody}.1", f"{nobody}.1:lane:0", f"{nobody}.1:summarize"], RUNNING)
    twin.states[f"{'b' * 32}.1"] = OrchestrationRuntimeStatus.Completed
    await orphans.end_instances(api.parts, twin)
    assert twin.terminated == [f"{nobody}.1", f"{nobody}.1:lane:0", f"{nobody}.1:summarize"]


@pytest.mark.parametrize(
    ("job_age", "run", "is_terminated"),
    [
        # Over for long: whatever it still waits for, nobody wants.
        (LONG_AGO, 1, True),
        # Over since a moment: it is about to end by itself.
        (timedelta(0), 1, False),
        # A run that is not the job's.
        (timedelta(0), 2, True),
    ],
)
async def test_instance_of_a_job_that_is_over_is_terminated_after_a_while(
    api: api_fixtures.Api,
    twin: OrphanTwin,
    age: Callable[[timedelta], None],
    job_age: timedelta,
    run: int,
    is_terminated: bool,  # noqa: FBT001 - a column of the table
) -> None:
    age(job_age)
    instance_id = f"{ended(api)}.{run}"
    twin.states = {instance_id: RUNNING}
    await orphans.end_instances(api.parts, twin)
    assert twin.terminated == ([instance_id] if is_terminated else [])


async def test_instance_of_a_running_job_is_left_alone_however_old(
    api: api_fixtures.Api, twin: OrphanTwin, age: Callable[[timedelta], None]
) -> None:
    age(timedelta(hours=5))
    job_id = api.started()
    twin.states = {f"{job_id}.1": RUNNING, f"{job_id}.1:lane:3": RUNNING}
    await orphans.end_instances(api.parts, twin)
    assert twin.terminated == []


async def test_more_instances_than_a_page_holds_are_all_looked_at(
    api: api_fixtures.Api, twin: OrphanTwin
) -> None:
    digits = random.Random(1)
    twin.states = {f"f{digits.getrandbits(124):031x}.1": RUNNING for _ in range(3 * orphans.PAGE)}
    await orphans.end_instances(api.parts, twin)
    assert sorted(twin.terminated) == sorted(twin.states)
    assert len(twin.asked) == 16 + 16


async def test_jobs_that_cannot_be_told_apart_do_not_keep_the_sweep_for_ever(
    api: api_fixtures.Api, twin: OrphanTwin
) -> None:
    twin.states = {f"{number:032x}.1": RUNNING for number in range(2 * orphans.PAGE)}
    await orphans.end_instances(api.parts, twin)
    assert len(twin.terminated) == orphans.PAGE
    assert max(map(len, twin.asked)) == orphans.LONGEST_PREFIX


async def test_instance_that_cannot_be_terminated_keeps_no_other_alive(
    api: api_fixtures.Api, twin: OrphanTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = f"{'a' * 32}.1", f"{'b' * 32}.1"
    twin.states = {first: RUNNING, second: RUNNING}
    terminate = twin.terminate

    async def refuse_once(instance_id: str, reason: str) -> None:
        monkeypatch.setattr(twin, "terminate", terminate)
        raise RuntimeError(f"No instance with ID {instance_id} found.")

    monkeypatch.setattr(twin, "terminate", refuse_once)
    await orphans.end_instances(api.parts, twin)
    assert len(twin.terminated) == 1


async def test_durable_that_is_away_is_said_so(api: api_fixtures.Api, twin: OrphanTwin) -> None:
    twin.away = True
    with pytest.raises(app_errors.DurableUnavailableError):
        await orphans.end_instances(api.parts, twin)


async def test_work_of_jobs_that_are_over_is_removed_and_no_other(
    api: api_fixtures.Api, age: Callable[[timedelta], None]
) -> None:
    age(LONG_AGO)
    over, running = ended(api), api.started()
    age(timedelta(0))
    just_over = ended(api)
    paths = {
        job_id: [f"default/{job_id}/cancelled-1", f"default/{job_id}/plan/chunk-00000.flac"]
        for job_id in (over, running, just_over, "0" * 32)
    }
    for path in (path for of_job in paths.values() for path in of_job):
        api.blobs.create(blobs.Container.WORK, path, b"x", content_type="audio/flac")
    await orphans.remove_work(api.parts)
    left = sorted(api.blobs.paths(blobs.Container.WORK, ""))
    assert left == sorted(paths[running] + paths[just_over] + paths["0" * 32])


async def test_marker_that_a_late_cancel_wrote_is_removed(
    api: api_fixtures.Api, age: Callable[[timedelta], None]
) -> None:
    """The run had ended before the marker was there: nobody else would remove it."""
    age(LONG_AGO)
    job_id = api.started()
    assert api.http.post(f"/jobs/{job_id}/cancel").status_code == 200
    assert list(api.blobs.paths(blobs.Container.WORK, "")) == [f"default/{job_id}/cancelled-1"]
    await orphans.remove_work(api.parts)
    assert list(api.blobs.paths(blobs.Container.WORK, "")) == []
