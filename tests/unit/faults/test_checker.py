"""The checker names what differs, and is silent when nothing does."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest

from contracts import api, jobs, steps
from tests.faults import attempts, checker, evidence, monkey

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
NO_OTHERS: Mapping[str, str] = MappingProxyType({})
CHUNK = attempts.Chunk(job_id="job-1", run=1, chunk=3)


def _view(**changes: Any) -> api.JobView:
    values: dict[str, Any] = {
        "job_id": "job-1",
        "run": 1,
        "workflow": jobs.Workflow.LID_ONLY,
        "status": jobs.JobStatus.COMPLETED,
        "priority": jobs.Priority.NORMAL,
        "file_name": "a.flac",
        "source_language": None,
        "target_language": "en",
        "language": "en",
        "duration_seconds": 8.0,
        "metadata": {},
        "created_at": BEGAN,
        "updated_at": BEGAN,
        "started_at": BEGAN,
        "finished_at": BEGAN,
        "error": None,
        "steps": (api.StepView(step=steps.Step.LID, status=steps.StepStatus.COMPLETED, attempt=1),),
        "links": api.JobLinks(self="", start="", results="", cancel=""),
    }
    return api.JobView(**{**values, **changes})


def _stored(content: str) -> evidence.Stored:
    return evidence.Stored(etag="1", content_hash=content)


def _evidence(view: api.JobView | None = None, blobs: Mapping[str, str] = NO_OTHERS) -> evidence.Evidence:
    default = {
        "steps/transcribe/00003-k.json": "a",
        "runs/1/transcript.txt": "b",
        "steps/prepare/p.json": "c",
    }
    return evidence.Evidence(
        job_id="job-1",
        kind="english",
        view=view or _view(),
        results=None,
        blobs={name: _stored(content) for name, content in {**default, **blobs}.items()},
    )


def _with_histories(**told: tuple[str, ...]) -> evidence.Evidence:
    return evidence.Evidence(
        **{**vars(_evidence()), "histories": {f".1:{name}": each for name, each in told.items()}}
    )


def _sentences(disturbed: evidence.Evidence) -> list[str]:
    return [difference.sentence for difference in checker.compare(disturbed, _evidence())]


def test_equal_jobs_have_no_difference() -> None:
    assert _sentences(_evidence()) == []


def test_a_later_attempt_is_no_difference() -> None:
    later = api.StepView(step=steps.Step.LID, status=steps.StepStatus.COMPLETED, attempt=2)
    assert _sentences(_evidence(_view(steps=(later,)))) == []


def test_key_of_prepare_may_differ_from_job_to_job() -> None:
    found = _evidence()
    renamed = {name.replace("p.json", "q.json"): stored for name, stored in found.blobs.items()}
    assert _sentences(evidence.Evidence(**{**vars(found), "blobs": renamed})) == []


@pytest.mark.parametrize(
    ("disturbed", "sentence"),
    [
        (
            _evidence(_view(status=jobs.JobStatus.FAILED)),
            "status is 'failed' and was 'completed' without faults.",
        ),
        (
            _evidence(
                _view(steps=(api.StepView(step=steps.Step.LID, status=steps.StepStatus.FAILED, attempt=1),))
            ),
            "steps.lid.status is 'failed' and was 'completed' without faults.",
        ),
        (_evidence(_view(steps=())), "steps.lid is 'nothing' and was {"),
        (
            _evidence(blobs={"runs/1/transcript.txt": "other"}),
            "runs/1/transcript.txt has another content than without faults.",
        ),
        (
            _evidence(blobs={"steps/transcribe/00003-other.json": "a"}),
            "transcribe chunk 3 has 2 stored results and had 1 without faults.",
        ),
        (
            _evidence(blobs={"steps/prepare/again.json": "c"}),
            "prepare has 2 stored results and had 1 without faults.",
        ),
    ],
)
def test_difference_is_named(disturbed: evidence.Evidence, sentence: str) -> None:
    assert any(found.startswith(sentence) for found in _sentences(disturbed)), _sentences(disturbed)


@pytest.mark.parametrize(
    ("disturbed", "sentence"),
    [
        (
            _with_histories(lane=("did record_chunk",)),
            "orchestrations..1:lane.heard of transcribe 3 is 'nothing' and was 'told' without faults.",
        ),
        (
            _with_histories(lane=("did record_chunk", "heard of transcribe 3", "failed in record_chunk")),
            "orchestrations..1:lane.failed in record_chunk is 'told' and was 'nothing' without faults.",
        ),
        (_with_histories(), "orchestrations..1:lane is 'nothing' and was {"),
    ],
)
def test_event_that_was_not_heard_and_work_that_was_not_done_are_named(
    disturbed: evidence.Evidence, sentence: str
) -> None:
    undisturbed = _with_histories(lane=("did record_chunk", "heard of transcribe 3"))
    (found,) = checker.compare(disturbed, undisturbed)
    assert found.sentence.startswith(sentence)


def test_second_results_are_counted() -> None:
    disturbed = _evidence(blobs={"steps/transcribe/00003-other.json": "a"})
    assert checker.second_results(disturbed.blobs, _evidence().blobs) == 1


def test_message_that_is_left_is_named_with_its_queue_and_state() -> None:
    counts = {"job-events": {"active": 0, "dead_letter": 2}, "lid-jobs": {"active": 0}}
    assert list(map(str, checker.queues_left(counts))) == ["job-events: 2 messages are left dead-letter."]


def test_job_that_did_not_end_is_named_with_where_it_stands() -> None:
    (difference,) = checker.unended([_view(status=jobs.JobStatus.PROCESSING), _view()])
    assert str(difference) == "job-1: did not end: it is processing (lid completed)."


def _attempt(began: float, ended: float | None) -> attempts.Attempt:
    return attempts.Attempt(
        chunk=CHUNK,
        began_at=BEGAN + timedelta(seconds=began),
        transcribed=True,
        ended_at=None if ended is None else BEGAN + timedelta(seconds=ended),
    )


def _kill(at: float, back: float) -> monkey.Kill:
    return monkey.Kill(
        victim="gpu_worker",
        signal=signal.SIGKILL,
        at=BEGAN + timedelta(seconds=at),
        pid=1,
        back_at=BEGAN + timedelta(seconds=back),
    )


@pytest.mark.parametrize(
    ("kill", "differences"),
    [(_kill(1.0, 2.0), 0), (_kill(20.0, 21.0), 1)],
    ids=["killed while in hand", "killed later"],
)
def test_chunk_may_be_done_again_only_when_it_was_in_hand_at_a_kill(
    kill: monkey.Kill, differences: int
) -> None:
    worked = [_attempt(0.0, 3.0), _attempt(5.0, 6.0)]
    assert checker.repeated(worked).total() == 1
    assert len(checker.needless_repetitions(worked, [kill])) == differences
