"""Runs end once: manifest, then status, then working blobs."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import pytest

from contracts import blobs, jobs, results, steps
from contracts.errors import ErrorCode
from function_app import errors, run_inputs, services
from function_app.activities import ends
from tests.replay import platforms

IDENTITY = run_inputs.RunIdentity(tenant_id=platforms.TENANT, job_id=platforms.JOB, run=1)
MARKER = blobs.cancel_marker_path(tenant_id=platforms.TENANT, job_id=platforms.JOB, run=1)


@pytest.fixture
def platform() -> Iterator[platforms.Platform]:
    built = platforms.build()
    built.submit(jobs.Workflow.TRANSCRIBE_ONLY, "en")
    built.store.begin_run(job_id=platforms.JOB, run=1)
    built.blobs.put(blobs.Container.WORK, MARKER, b"")
    yield built
    services.use(None)


def end(status: jobs.JobStatus, **facts: object) -> run_inputs.RunEndCall:
    return run_inputs.RunEndCall.model_validate(
        {"identity": IDENTITY, "workflow": jobs.Workflow.TRANSCRIBE_ONLY, "status": status, **facts}
    )


def test_failed_run_has_a_manifest_with_its_error(platform: platforms.Platform) -> None:
    error = results.RunError(step=steps.Step.PREPARE, code=ErrorCode.NOT_AUDIO, message="This is text.")
    ends.finish_run(platform.use, end(jobs.JobStatus.FAILED, error=error, errors=(error,)))
    assert platform.manifest().errors == (error,)
    assert platform.job().error == error


def test_cancelled_run_has_no_manifest(platform: platforms.Platform) -> None:
    platform.store.cancel(tenant_id=platforms.TENANT, job_id=platforms.JOB)
    ends.finish_run(platform.use, end(jobs.JobStatus.CANCELLED))
    with pytest.raises(errors.BlobMissingError):
        platform.manifest()
    assert list(platform.blobs.paths(blobs.Container.WORK, "")) == []


def test_job_that_was_cancelled_at_the_last_moment_stays_cancelled(platform: platforms.Platform) -> None:
    platform.store.cancel(tenant_id=platforms.TENANT, job_id=platforms.JOB)
    ends.finish_run(platform.use, end(jobs.JobStatus.COMPLETED))
    assert platform.job().status is jobs.JobStatus.CANCELLED
    with pytest.raises(errors.BlobMissingError):
        platform.manifest()


def test_manifest_is_there_before_the_run_is_seen_to_have_ended(platform: platforms.Platform) -> None:
    """The process dies between the two: the next attempt ends the run with the same manifest."""
    with (
        mock.patch.object(platform.store, "end_run", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        ends.finish_run(platform.use, end(jobs.JobStatus.COMPLETED))
    manifest = platform.manifest()
    assert platform.job().status is jobs.JobStatus.PROCESSING
    ends.finish_run(platform.use, end(jobs.JobStatus.COMPLETED))
    assert platform.manifest() == manifest
    assert platform.job().status is jobs.JobStatus.COMPLETED


def test_working_blobs_that_cannot_be_removed_do_not_keep_a_run_from_ending_and_are_removed_later(
    platform: platforms.Platform,
) -> None:
    with (
        mock.patch.object(platform.blobs, "delete_prefix", side_effect=errors.BlobsUnavailableError),
        pytest.raises(errors.BlobsUnavailableError),
    ):
        ends.finish_run(platform.use, end(jobs.JobStatus.COMPLETED))
    assert platform.job().status is jobs.JobStatus.COMPLETED
    assert platform.blobs.facts(blobs.Container.WORK, MARKER) is not None
    assert ends.finish_run(platform.use, end(jobs.JobStatus.COMPLETED)) == {"status": "completed"}
    assert platform.blobs.facts(blobs.Container.WORK, MARKER) is None


def test_broken_flow_ends_its_run_without_reading_anything(platform: platforms.Platform) -> None:
    error = results.RunError(code=ErrorCode.INTERNAL_ERROR, message="Away for too long.")
    platform.blobs.away = True
    ends.fail_run(platform.use, end(jobs.JobStatus.FAILED, error=error))
    assert platform.job().error == error
