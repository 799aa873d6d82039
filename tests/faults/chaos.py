"""`make chaos KILLS=N SEED=S`: jobs run while processes are killed; then everything is compared.

The last line is one JSON object:

* kills, jobs: how many;
* lost: jobs that did not end as an undisturbed one does;
* duplicated: results of steps that were written twice, or lie there twice;
* repeated_chunks: how often a chunk was worked on again;
* recovery_p95_seconds: from a kill until the killed process is ready again;
* progress_p95_seconds: from a kill, while jobs ran, until the next step or chunk ended;
* seconds_to_end: from the last kill until every job had ended and nothing was left over.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from azure.storage.blob import BlobServiceClient

import client
from contracts import api, jobs
from local_stack.launcher import engines, ports, stack
from tests.faults import (
    attempts,
    checker,
    ends,
    evidence,
    leftovers,
    monkey,
    report,
    supply,
    undisturbed,
    witness,
    workload,
)

END_LIMIT_SECONDS: Final = 180.0
"""From the last kill until every job has ended and nothing is left over."""
STORAGE_RETRIES: Final = 8
UNCLEAN: Final = 1

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much chaos."""

    kills: int = 30
    seed: int = 1
    jobs: int = 20
    state: Path
    """Of the stack, its logs included."""
    media: Path
    """Where recordings are made."""
    longest_pause_seconds: float = monkey.LONGEST_PAUSE_SECONDS


def stack_options(state: Path) -> stack.StackOptions:
    """The fixture models, any ports, and chunks short enough that a recording has many."""
    quiet = stack.StackOptions(state=state, ports=ports.ANY, profile=engines.Profile.FIXTURES)
    environment = {**quiet.environment, "LONGEST_CHUNK_SECONDS": str(workload.LONGEST_CHUNK_SECONDS)}
    return stack.StackOptions(
        state=state, ports=ports.ANY, profile=engines.Profile.FIXTURES, environment=environment
    )


def run(options: Options, *, tell: Tell) -> report.Report:
    """Raises LauncherError, TimeoutError or AssertionError when the stack itself does not hold."""
    kinds = workload.make_kinds(options.media)
    with stack.Stack(stack_options(options.state), tell=tell) as running:
        storage = storage_of(running)
        with storage, client.SpeechFlow(running.url, policy=workload.PATIENT) as speech:
            return _Run(options=options, tell=tell, running=running, storage=storage, speech=speech).all(
                kinds
            )


def storage_of(running: stack.Stack) -> BlobServiceClient:
    """Patient enough for a restart of Azurite."""
    return BlobServiceClient.from_connection_string(
        running.credentials["AZURE_STORAGE_CONNECTION_STRING"], retry_total=STORAGE_RETRIES
    )


@dataclass(kw_only=True)
class _Run:
    """One run, on a stack that is ready."""

    options: Options
    tell: Tell
    running: stack.Stack
    storage: BlobServiceClient
    speech: client.SpeechFlow

    def all(self, kinds: Sequence[workload.Kind]) -> report.Report:
        self.tell("Undisturbed first…")
        began = time.monotonic()
        expected = undisturbed.run(self.speech, self.storage, kinds)
        left = leftovers.wait_until_none(self.running, self.storage, deadline=time.monotonic() + 30)
        assert not left, f"left over without any fault: {'; '.join(map(str, left))}"
        self.tell(
            f"{len(expected)} kinds of jobs ended after {time.monotonic() - began:.0f} s; now the kills"
        )
        with witness.Witness(self.storage) as watching:
            submitted, kills = self._disturb(kinds)
            # Of the kill itself: the return of the killed process counts.
            since_seconds = (datetime.now(UTC) - kills[-1].at).total_seconds() if kills else 0.0
            last_kill = time.monotonic() - since_seconds
            deadline = last_kill + END_LIMIT_SECONDS
            views = ends.wait(self.speech, [each.job_id for each in submitted], deadline=deadline)
            left = leftovers.wait_until_none(self.running, self.storage, deadline=deadline)
            seconds_to_end = time.monotonic() - last_kill
            watching.look()
        disturbed = [
            evidence.collect(self.speech, self.storage, each)
            for each in submitted
            if views[each.job_id].status in jobs.TERMINAL
        ]
        return self._report(
            kills=kills,
            views=views,
            worked=attempts.read(self.running.logs / "gpu_worker.log"),
            rewritten=list(watching.differences()),
            left=left,
            seconds_to_end=seconds_to_end,
            compared=[(each, expected[each.kind]) for each in disturbed],
        )

    def _disturb(self, kinds: Sequence[workload.Kind]) -> tuple[list[workload.Submitted], list[monkey.Kill]]:
        """Some jobs are there from the start, the others come one by one as the kills go on."""
        wanted = workload.mix(kinds, self.options.jobs)
        sender = workload.Sender(url=self.running.url)
        coming = supply.Supply(
            job_count=self.options.jobs,
            kill_count=self.options.kills,
            is_idle=lambda come: len(sender.sent) == come and self._have_ended(sender.sent),
        )
        made = 0

        def on_kill(kill: monkey.Kill) -> None:
            nonlocal made
            made += 1
            self.tell(f"{made:>3}  {kill}")
            coming.killed(made)

        planned = monkey.plan(
            self.options.kills, self.options.seed, longest_pause_seconds=self.options.longest_pause_seconds
        )
        with futures.ThreadPoolExecutor(1) as pool:
            coming.killed(0)
            sending = pool.submit(sender.send_all, wanted, gate=coming.wait_for_turn)
            try:
                kills = monkey.run(self.running, planned, before=coming.keep_busy, on_kill=on_kill)
            finally:
                coming.end()
            return sending.result(), kills

    def _have_ended(self, sent: Sequence[workload.Submitted]) -> bool:
        return all(self.speech.get(each.job_id).status in jobs.TERMINAL for each in tuple(sent))

    def _report(
        self,
        *,
        kills: Sequence[monkey.Kill],
        views: Mapping[str, api.JobView],
        worked: Sequence[attempts.Attempt],
        rewritten: Sequence[str],
        left: Sequence[checker.Difference],
        seconds_to_end: float,
        compared: Sequence[tuple[evidence.Evidence, evidence.Evidence]],
    ) -> report.Report:
        differences = [
            *checker.unended(views.values()),
            *(each for pair in compared for each in checker.compare(*pair)),
            *(checker.Difference(subject="results", sentence=sentence) for sentence in rewritten),
            *checker.needless_repetitions(worked, kills),
            *left,
        ]
        second = sum(checker.second_results(found.blobs, expected.blobs) for found, expected in compared)
        as_expected = sum(found.view.status is expected.view.status for found, expected in compared)
        return report.Report(
            seed=self.options.seed,
            kills=tuple(kills),
            jobs=len(views),
            lost=len(views) - as_expected,
            duplicated=len(rewritten) + second,
            repeated_chunks=checker.repeated(worked).total(),
            differences=tuple(differences),
            seconds_to_end=seconds_to_end,
            progress_seconds=tuple(ends.progress_seconds(kills, list(views.values()), worked)),
        )


def main(
    *,
    kills: Annotated[int, typer.Option(min=0)] = 30,
    seed: Annotated[
        int, typer.Option(help="The same seed kills the same processes after the same pauses.")
    ] = 1,
    jobs_: Annotated[int, typer.Option("--jobs", min=1)] = 20,
    pause: Annotated[float, typer.Option(min=0, help="Seconds between two kills at most.")] = (
        monkey.LONGEST_PAUSE_SECONDS
    ),
    keep: Annotated[Path | None, typer.Option(help="Keep the stack's state and logs here.")] = None,
) -> None:
    """Run jobs while processes are killed; exit 0 only when nothing differs from an undisturbed run."""
    with tempfile.TemporaryDirectory(prefix="speechflow-chaos-") as folder:
        options = Options(
            kills=kills,
            seed=seed,
            jobs=jobs_,
            state=keep or Path(folder) / "state",
            media=Path(folder) / "media",
            longest_pause_seconds=pause,
        )
        ended = run(options, tell=_say)
    for line in ended.summary():
        _say(line)
    _say(ended.last_line())
    if not ended.is_clean:
        raise typer.Exit(UNCLEAN)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    typer.run(main)
