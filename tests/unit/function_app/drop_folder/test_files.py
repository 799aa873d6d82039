"""Files in the drop folder, over the twins: when they are taken, and what their droppers are told."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.durable_functions import OrchestrationRuntimeStatus

from contracts import blobs, drop_folder, jobs, results
from contracts.drop_folder import RejectionCode
from contracts.errors import ErrorCode
from function_app import errors, run_inputs, sweeps
from function_app.activities import ends
from function_app.drop_folder import files, settling
from function_app.store import job_store
from tests.unit.function_app import api_fixtures

FOLDER, RESULTS = blobs.Container.DROP_FOLDER, blobs.Container.RESULTS


@pytest.fixture
def api() -> Iterator[api_fixtures.Api]:
    with api_fixtures.running_api() as running:
        yield running


class Folder:
    """Somebody who drops files; time passes when they say so."""

    def __init__(self, api: api_fixtures.Api) -> None:
        self.api = api
        self._later = timedelta()
        api.store._clock = lambda: datetime.now(UTC) + self._later

    def drop(self, path: str, data: bytes = b"RIFF") -> str:
        """The ETag; storage has announced the blob."""
        self.api.blobs.put(FOLDER, path, data)
        files.note(self.api.parts, path)
        facts = self.api.blobs.facts(FOLDER, path)
        assert facts is not None
        return str(facts.reference.etag)

    async def wait(self, seconds: float = 6.0) -> float | None:
        self._later += timedelta(seconds=seconds)
        return await files.decide_settled(self.api.parts, self.api.durable)

    def jobs(self) -> list[job_store.Job]:
        page = self.api.store.list(
            tenant_id="default", job_filter=job_store.JobFilter(), cursor=None, limit=100
        )
        return list(reversed(page.jobs))

    def answers(self, path: str) -> dict[str, drop_folder.Receipt]:
        """Receipts and rejections by what they are; each is there as text, too."""
        found = {}
        prefix = drop_folder.answer_folder(tenant_id="default", path=path)
        for one in self.api.blobs.paths(RESULTS, prefix):
            if one.endswith(".json"):
                data = self.api.blobs.read(blobs.BlobReference(container=RESULTS, path=one))
                name = one.removeprefix(prefix).split("-")[0]
                assert name not in found
                found[name] = drop_folder.Receipt.model_validate_json(data)
        return found

    def text(self, path: str) -> str:
        prefix = drop_folder.answer_folder(tenant_id="default", path=path)
        (one,) = [one for one in self.api.blobs.paths(RESULTS, prefix) if one.endswith(".txt")]
        return self.api.blobs.read(blobs.BlobReference(container=RESULTS, path=one)).decode()


@pytest.fixture
def folder(api: api_fixtures.Api) -> Folder:
    return Folder(api)


async def test_file_is_left_alone_until_it_has_been_still(folder: Folder) -> None:
    folder.drop("meeting.mp3")
    pause = await folder.wait(1)
    assert pause is not None
    assert 0 < pause <= 4
    assert folder.jobs() == []
    assert await folder.wait(5) is None
    (job,) = folder.jobs()
    assert (job.status, job.file_name) == (jobs.JobStatus.QUEUED, "meeting.mp3")
    assert job.source is not None
    assert (job.source.container, job.source.path) == (FOLDER, "meeting.mp3")
    assert job.source.etag
    assert api_fixtures.instance_id(job.job_id) in folder.api.durable.inputs


async def test_same_version_is_never_two_jobs(folder: Folder) -> None:
    for _ in range(3):
        folder.drop("meeting.mp3", b"one")
    facts = folder.api.blobs.facts(FOLDER, "meeting.mp3")
    await folder.wait()
    for _ in range(3):
        files.note(folder.api.parts, "meeting.mp3")
        files.note_missed(folder.api.parts)
        await folder.wait()
        await sweeps.sweep(folder.api.parts, folder.api.durable)
    (job,) = folder.jobs()
    assert facts is not None
    assert job.source is not None
    assert job.source.etag == facts.reference.etag


async def test_overwritten_file_is_a_new_job(folder: Folder) -> None:
    folder.drop("meeting.mp3", b"one")
    await folder.wait()
    folder.drop("meeting.mp3", b"two")
    await folder.wait()
    first, second = folder.jobs()
    assert first.source != second.source
    assert set(folder.api.durable.inputs) == {f"{job.job_id}.1" for job in (first, second)}


async def test_files_of_one_name_in_several_folders_are_several_jobs(folder: Folder) -> None:
    for path in ("a/meeting.mp3", "b/meeting.mp3", "b/c d/meeting.mp3"):
        folder.drop(path)
        folder.drop(f"{path}.job.json", b'{"metadata": {"from": "%s"}}' % path.encode())
    await folder.wait()
    found = folder.jobs()
    assert [job.file_name for job in found] == ["meeting.mp3"] * 3
    assert sorted(job.metadata["from"] for job in found) == [
        "a/meeting.mp3",
        "b/c d/meeting.mp3",
        "b/meeting.mp3",
    ]
    receipts = [folder.answers(path)["receipt"] for path in ("a/meeting.mp3", "b/meeting.mp3")]
    assert receipts[0].job_id != receipts[1].job_id


async def test_manifest_that_comes_a_moment_after_its_file_is_used(folder: Folder) -> None:
    folder.drop("meeting.mp3")
    await folder.wait(3)
    folder.drop("meeting.mp3.job.json", b'{"workflow": "lid_only"}')
    await folder.wait(3)
    assert [job.workflow for job in folder.jobs()] == [jobs.Workflow.LID_ONLY]
    assert files.note(folder.api.parts, "meeting.mp3.job.json") is False
    assert "rejection" not in folder.answers("meeting.mp3")


async def test_manifest_that_comes_too_late_is_told_so(folder: Folder) -> None:
    folder.drop("meeting.mp3")
    await folder.wait()
    folder.drop("meeting.mp3.job.json", b'{"workflow": "lid_only"}')
    await folder.wait()
    assert [job.workflow for job in folder.jobs()] == [jobs.Workflow.FULL_PIPELINE]
    rejection = folder.answers("meeting.mp3")["rejection"].rejection
    assert rejection is not None
    assert rejection.code is RejectionCode.MANIFEST_TOO_LATE


async def test_rejected_file_is_taken_once_its_manifest_is_corrected(folder: Folder) -> None:
    folder.drop("meeting.mp3.job.json", b"{oops")
    folder.drop("meeting.mp3")
    await folder.wait()
    assert folder.jobs() == []
    answer = folder.answers("meeting.mp3")["rejection"]
    assert answer.rejection is not None
    assert answer.rejection.code is RejectionCode.MANIFEST_NOT_JSON
    assert "Not done: The manifest is not valid JSON: look at line 1, column 2." in folder.text("meeting.mp3")
    assert files.note(folder.api.parts, "meeting.mp3.job.json") is False, "the same manifest changes nothing"
    folder.drop("meeting.mp3.job.json", b'{"source_language": "en"}')
    await folder.wait()
    (job,) = folder.jobs()
    assert job.source_language == "en"
    assert folder.answers("meeting.mp3")["receipt"].job_id == job.job_id


@pytest.mark.parametrize(
    ("first", "decision"), [(None, "take"), (b"{oops", "reject")], ids=["taken without one", "rejected"]
)
async def test_manifest_that_comes_while_its_file_is_decided_about_is_not_overlooked(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, first: bytes | None, decision: str
) -> None:
    if first:
        folder.drop("meeting.mp3.job.json", first)
    folder.drop("meeting.mp3")
    dropped = folder.api.store.dropped
    decide = getattr(dropped, decision)

    def late(*given: Any, **more: Any) -> Any:
        monkeypatch.setattr(dropped, decision, decide)
        folder.drop("meeting.mp3.job.json", b'{"workflow": "lid_only"}')
        return decide(*given, **more)

    monkeypatch.setattr(dropped, decision, late)
    pause = await folder.wait()
    answers = folder.answers("meeting.mp3")
    if first:
        assert pause is not None
        await folder.wait(pause)
        assert [job.workflow for job in folder.jobs()] == [jobs.Workflow.LID_ONLY]
    else:
        assert pause is None
        assert answers["rejection"].rejection is not None
        assert answers["rejection"].rejection.code is RejectionCode.MANIFEST_TOO_LATE


async def test_nothing_is_written_into_the_folder(folder: Folder) -> None:
    folder.drop("meeting.mp3")
    folder.drop("bad.mp3", b"")
    await folder.wait()
    assert list(folder.api.blobs.paths(FOLDER, "")) == ["bad.mp3", "meeting.mp3"]


@pytest.mark.parametrize(
    "path", [".DS_Store", "a/.hidden.mp3", "~$notes.docx", "a.mp3.part", "a.TMP", "b/", "a.crdownload"]
)
async def test_what_tools_write_on_their_way_is_passed_over(folder: Folder, path: str) -> None:
    folder.drop(path)
    files.note_missed(folder.api.parts)
    await folder.wait()
    assert folder.jobs() == []
    assert list(folder.api.blobs.paths(RESULTS, "")) == []


async def test_file_that_is_deleted_or_overwritten_while_it_settles_is_not_taken(folder: Folder) -> None:
    folder.drop("gone.mp3")
    folder.api.blobs.delete_prefix(FOLDER, "gone.mp3")
    folder.drop("growing.mp3", b"on")
    folder.api.blobs.put(FOLDER, "growing.mp3", b"once")
    await folder.wait()
    assert folder.jobs() == []
    await folder.wait()
    assert [job.source and job.source.size_bytes for job in folder.jobs()] == [4]


async def test_receipt_says_queued_and_at_the_end_where_the_results_are(folder: Folder) -> None:
    folder.drop("a/meeting.mp3")
    await folder.wait()
    (job,) = folder.jobs()
    begun = folder.answers("a/meeting.mp3")["receipt"]
    assert (begun.job_id, begun.status, begun.files) == (job.job_id, jobs.JobStatus.QUEUED, {})
    folder.api.store.begin_run(job_id=job.job_id, run=1)
    call = run_inputs.RunEndCall(
        identity=run_inputs.RunIdentity(tenant_id="default", job_id=job.job_id, run=1),
        workflow=job.workflow,
        status=jobs.JobStatus.COMPLETED,
        files={"transcript.txt": f"default/{job.job_id}/runs/1/transcript.txt"},
    )
    ends.finish_run(folder.api.parts, call)
    ended = folder.answers("a/meeting.mp3")["receipt"]
    assert ended.status is jobs.JobStatus.COMPLETED
    assert ended.files == {"transcript.txt": f"memory://results/default/{job.job_id}/runs/1/transcript.txt"}
    assert "Status: completed" in folder.text("a/meeting.mp3")
    assert folder.api.store.dropped.untold(limit=10) == []


@pytest.mark.parametrize("end", ["cancelled", "failed"])
async def test_sweep_tells_the_end_that_nobody_else_has_told(folder: Folder, end: str) -> None:
    folder.drop("meeting.mp3")
    await folder.wait()
    (job,) = folder.jobs()
    if end == "cancelled":
        folder.api.store.cancel(tenant_id="default", job_id=job.job_id)
    else:
        error = results.RunError(code=ErrorCode.NOT_AUDIO, message="This is text.")
        run_end = job_store.RunEnd(status=jobs.JobStatus.FAILED, error=error)
        folder.api.store.end_run(job_id=job.job_id, run=1, end=run_end)
    await sweeps.sweep(folder.api.parts, folder.api.durable)
    receipt = folder.answers("meeting.mp3")["receipt"]
    assert receipt.status == end
    assert (receipt.error is not None) is (end == "failed")


Break = Callable[[pytest.MonkeyPatch, api_fixtures.Api], None]


def _fail(name: str, target: str) -> Break:
    def apply(patch: pytest.MonkeyPatch, api: api_fixtures.Api) -> None:
        def killed(*_args: Any, **_more: Any) -> Any:
            raise KeyboardInterrupt

        patch.setattr(
            {"store": api.store.dropped, "blobs": api.blobs, "durable": api.durable}[target], name, killed
        )

    return apply


@pytest.mark.parametrize(
    "kill",
    [
        _fail("facts", "blobs"),
        _fail("take", "store"),
        _fail("start_new", "durable"),
        _fail("ensure", "blobs"),
        _fail("tell", "store"),
    ],
    ids=["before reading", "before taking", "before starting", "before the receipt", "after the receipt"],
)
async def test_sweep_goes_on_where_a_process_was_killed(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, kill: Break
) -> None:
    folder.drop("meeting.mp3")
    with monkeypatch.context() as patch:
        kill(patch, folder.api)
        with pytest.raises(KeyboardInterrupt):
            await folder.wait()
    await sweeps.sweep(folder.api.parts, folder.api.durable)
    if not folder.api.durable.states:
        # Queued jobs are left to whoever queued them for half a minute.
        (job,) = folder.jobs()
        long_ago = datetime.now(UTC) - timedelta(minutes=1)
        folder.api.store._jobs[job.job_id] = dataclasses.replace(job, updated_at=long_ago)
    await sweeps.sweep(folder.api.parts, folder.api.durable)
    (job,) = folder.jobs()
    assert folder.api.durable.states == {f"{job.job_id}.1": OrchestrationRuntimeStatus.Running}
    assert folder.answers("meeting.mp3")["receipt"].job_id == job.job_id


@pytest.mark.parametrize("error", [errors.BlobsUnavailableError(), RuntimeError("a mistake of ours")])
async def test_one_file_that_cannot_be_decided_keeps_no_other_waiting(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    folder.drop("a.mp3")
    folder.drop("b.mp3")
    real = folder.api.blobs.facts

    def broken(container: blobs.Container, path: str) -> Any:
        if path == "a.mp3":
            raise error
        return real(container, path)

    monkeypatch.setattr(folder.api.blobs, "facts", broken)
    assert await folder.wait() == 5.0
    assert [job.file_name for job in folder.jobs()] == ["b.mp3"]


async def test_many_files_at_once_are_all_taken_and_one_call_waits_for_them(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(files.BATCH + 5):
        folder.drop(f"{number}.mp3")
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        folder._later += timedelta(seconds=seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await settling.Settler().settle(folder.api.parts, folder.api.durable)
    assert len(folder.api.durable.inputs) == files.BATCH + 5
    assert folder.api.store.dropped.settling(limit=10) == []
    assert len(slept) < 10


async def test_call_that_comes_while_another_waits_leaves_it_the_work(folder: Folder) -> None:
    settler = settling.Settler()
    settler._is_waiting = True
    folder.drop("a.mp3")
    await settler.settle(folder.api.parts, folder.api.durable)
    assert settler._has_news
    assert folder.jobs() == []


def test_path_that_is_too_long_has_its_answers_under_its_hash() -> None:
    path = drop_folder.receipt_path(tenant_id="default", path="f/" * 500, etag='"1"')
    assert len(path) < 200
    assert path.startswith("default/drop-folder/")
