"""Kills, broken connections and repeated messages change no result."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

import client
from contracts import jobs
from local_stack.launcher import stack
from tests.acceptance import waiting
from tests.faults import (
    chaos,
    checker,
    ends,
    evidence,
    late,
    leftovers,
    messages,
    proxied_stack,
    proxy,
    undisturbed,
    workload,
)

pytestmark = pytest.mark.timeout(1200)

JOBS = 12
END_LIMIT_SECONDS = 240.0


def seeds(first: int, *others: int) -> list[ParameterSet]:
    """The first for `make acceptance`, the others for those who have the time."""
    return [
        pytest.param(first, marks=(pytest.mark.acceptance_long, pytest.mark.alone)),
        *(pytest.param(seed, marks=pytest.mark.endurance) for seed in others),
    ]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> list[workload.Kind]:
    return workload.make_kinds(tmp_path_factory.mktemp("recordings"))


@pytest.mark.acceptance_long
@pytest.mark.alone
def test_thirty_kills_over_twenty_jobs_leave_no_trace(tmp_path: Path) -> None:
    options = chaos.Options(kills=30, seed=1, jobs=20, state=tmp_path / "state", media=tmp_path / "media")
    ended = chaos.run(options, tell=_say)
    for line in ended.summary():
        _say(line)
    assert list(map(str, ended.differences)) == []
    assert (len(ended.kills), ended.jobs, ended.lost, ended.duplicated) == (30, 20, 0, 0)
    assert ended.seconds_to_end < chaos.END_LIMIT_SECONDS
    assert len(ended.progress_seconds) >= 15, "too few of the kills met a running job"


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stack.Stack]:
    """A stack of this module's own, which nobody kills."""
    options = chaos.stack_options(tmp_path_factory.mktemp("calm"))
    with stack.Stack(options, tell=_say) as running:
        yield running


@pytest.fixture(scope="module")
def expected(calm: stack.Stack, kinds: list[workload.Kind]) -> Mapping[str, evidence.Evidence]:
    """What every kind of job comes to without faults."""
    with chaos.storage_of(calm) as storage, client.SpeechFlow(calm.url) as speech:
        return undisturbed.run(speech, storage, kinds)


@pytest.mark.parametrize("seed", seeds(1, 2, 3))
def test_messages_duplicated_delayed_reordered_and_redelivered_change_no_result(
    calm: stack.Stack,
    kinds: list[workload.Kind],
    expected: Mapping[str, evidence.Evidence],
    seed: int,
) -> None:
    with messages.meddling(calm.credentials["SERVICE_BUS_CONNECTION_STRING"], seed=seed) as meddler:
        differences = _differences(calm, kinds, expected)
    assert differences == []
    assert meddler.made.total() > 2 * JOBS, "too little was meddled with to show anything"
    _say(f"seed {seed}: {dict(meddler.fates())}")


@pytest.mark.acceptance_long
@pytest.mark.alone
def test_request_that_comes_again_after_its_job_has_ended_leaves_nothing_behind(
    calm: stack.Stack, kinds: list[workload.Kind]
) -> None:
    """As after a broker that was killed before the worker could complete the message."""
    kind = next(kind for kind in kinds if kind.workflow is jobs.Workflow.LID_ONLY)
    with chaos.storage_of(calm) as storage, client.SpeechFlow(calm.url) as speech:
        (submitted,) = workload.Sender(url=calm.url).send_all([kind])
        assert speech.wait(submitted.job_id, timeout_seconds=120).status is jobs.JobStatus.COMPLETED
        request = late.prepare_request(storage, submitted.job_id)
        plan_before = evidence.collect(speech, storage, submitted).blobs
        log = calm.logs / "lid_worker.log"
        attempts_before = late.ended_attempts(log, submitted.job_id)
        late.send(calm.credentials["SERVICE_BUS_CONNECTION_STRING"], request)
        waiting.until(
            lambda: late.ended_attempts(log, submitted.job_id) > attempts_before,
            "the worker to take the late request",
            limit_seconds=60,
        )
        left = leftovers.wait_until_none(calm, storage, deadline=time.monotonic() + 20)
        assert list(map(str, left)) == []
        assert evidence.collect(speech, storage, submitted).blobs == plan_before


@pytest.mark.parametrize("seed", seeds(1, 2))
def test_jobs_complete_although_connections_are_late_stall_and_break(
    tmp_path: Path, kinds: list[workload.Kind], expected: Mapping[str, evidence.Evidence], seed: int
) -> None:
    with proxied_stack.ProxiedStack(chaos.stack_options(tmp_path), tell=_say, seed=seed) as running:
        differences = _differences(running, kinds, expected)
        made = {name: each.made for name, each in running.proxies.items()}
    assert differences == []
    for name, faults in made.items():
        assert faults[proxy.Kind.RESET] + faults[proxy.Kind.FINISH] > 0, f"nothing was cut before {name}"
    unanswered = sum(faults[proxy.Kind.UNANSWERED] for faults in made.values())
    assert unanswered > 0, "nothing was done without an answer, and so nothing was done twice"
    _say(f"seed {seed}: {made}")


def _differences(
    running: stack.Stack, kinds: list[workload.Kind], expected: Mapping[str, evidence.Evidence]
) -> list[str]:
    """Runs jobs; everything in which they and what they leave differ from undisturbed ones."""
    with (
        chaos.storage_of(running) as storage,
        client.SpeechFlow(running.url, policy=workload.PATIENT) as speech,
    ):
        submitted = workload.Sender(url=running.url).send_all(workload.mix(kinds, JOBS))
        deadline = time.monotonic() + END_LIMIT_SECONDS
        views = ends.wait(speech, [each.job_id for each in submitted], deadline=deadline)
        unended = checker.unended(views.values())
        if unended:
            return list(map(str, unended))
        left = leftovers.wait_until_none(running, storage, deadline=deadline)
        found = [evidence.collect(speech, storage, each) for each in submitted]
    compared = [each for one in found for each in checker.compare(one, expected[one.kind])]
    return list(map(str, [*compared, *left]))


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
