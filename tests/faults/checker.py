"""Compares disturbed jobs with undisturbed ones, and names every difference in a sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from contracts import api, jobs
from tests.faults import attempts, evidence, monkey

_ALWAYS_THE_SAME: Final = ("steps/transcribe/", "runs/1/transcript.", "runs/1/summary.")
"""Blobs in which nothing names the job: byte for byte those of an undisturbed job."""

_NOTHING: Final = "nothing"
_LONGEST_SHOWN: Final = 80


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something that is not as it was without faults."""

    subject: str
    """The job's id, or the queue, or the container."""
    sentence: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.sentence}"


def compare(disturbed: evidence.Evidence, undisturbed: evidence.Evidence) -> list[Difference]:
    """Status, steps, results and blobs of one job against those of a job of its kind."""
    sentences = [
        *_values("", undisturbed.comparable(), disturbed.comparable()),
        *_results_per_step(disturbed.blobs, undisturbed.blobs),
        *_contents(disturbed.blobs, undisturbed.blobs),
    ]
    return [Difference(subject=f"{disturbed.job_id} ({disturbed.kind})", sentence=each) for each in sentences]


def unended(views: Iterable[api.JobView]) -> list[Difference]:
    """Jobs that did not come to their end."""
    return [
        Difference(subject=view.job_id, sentence=f"did not end: it is {view.status} ({_standing(view)}).")
        for view in views
        if view.status not in jobs.TERMINAL
    ]


def second_results(
    disturbed: Mapping[str, evidence.Stored], undisturbed: Mapping[str, evidence.Stored]
) -> int:
    """How many results lie there beside one of the same step or chunk."""
    expected, found = Counter(map(_slot, _steps(undisturbed))), Counter(map(_slot, _steps(disturbed)))
    return (found - expected).total()


def _standing(view: api.JobView) -> str:
    return ", ".join(f"{step.step} {step.status}" for step in view.steps) or "no steps"


def _values(place: str, expected: Any, found: Any) -> Iterator[str]:
    """A sentence for each value in which two JSON documents differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted(expected.keys() | found.keys()):
            inner = f"{place}.{key}" if place else key
            yield from _values(inner, expected.get(key, _NOTHING), found.get(key, _NOTHING))
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from _values(f"{place}[{number}]", one, other)
    elif expected != found:
        yield f"{place} is {_shown(found)} and was {_shown(expected)} without faults."


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _results_per_step(
    disturbed: Mapping[str, evidence.Stored], undisturbed: Mapping[str, evidence.Stored]
) -> Iterator[str]:
    """A second result of a step or a chunk means that doing it twice did not give the same key."""
    expected, found = Counter(map(_slot, _steps(undisturbed))), Counter(map(_slot, _steps(disturbed)))
    for slot in sorted(expected.keys() | found.keys()):
        if expected[slot] != found[slot]:
            yield f"{slot} has {found[slot]} stored results and had {expected[slot]} without faults."


def _steps(stored: Mapping[str, evidence.Stored]) -> Iterable[str]:
    return (name for name in stored if name.startswith("steps/"))


def _slot(name: str) -> str:
    """`steps/transcribe/00003-KEY.json` → `transcribe chunk 3`; other keys differ from job to job."""
    _, step, file = name.split("/", 2)
    chunk, dash, _ = file.partition("-")
    return f"{step} chunk {int(chunk)}" if dash and chunk.isdigit() else step


def _contents(
    disturbed: Mapping[str, evidence.Stored], undisturbed: Mapping[str, evidence.Stored]
) -> Iterator[str]:
    for name in sorted(disturbed.keys() | undisturbed.keys()):
        if not name.startswith(_ALWAYS_THE_SAME):
            continue
        if name not in undisturbed:
            yield f"{name} is stored and was not without faults."
        elif name not in disturbed:
            yield f"{name} is not stored and was without faults."
        elif disturbed[name].content_hash != undisturbed[name].content_hash:
            yield f"{name} has another content than without faults."


def queues_left(counts: Mapping[str, Mapping[str, int]]) -> list[Difference]:
    """Messages that nobody took, by queue and state."""
    return [
        Difference(subject=queue, sentence=f"{number} messages are left {state.replace('_', '-')}.")
        for queue, states in sorted(counts.items())
        for state, number in sorted(states.items())
        if number
    ]


def repeated(found: Iterable[attempts.Attempt]) -> Counter[attempts.Chunk]:
    """How often each chunk was worked on again."""
    worked = Counter(attempt.chunk for attempt in found if attempt.worked)
    return Counter({chunk: times - 1 for chunk, times in worked.items() if times > 1})


def needless_repetitions(found: Sequence[attempts.Attempt], kills: Sequence[monkey.Kill]) -> list[Difference]:
    """Chunks that were worked on again more often than they were in hand when something was killed."""
    differences = []
    for chunk, times in sorted(repeated(found).items(), key=lambda item: str(item[0])):
        allowed = sum(
            any(attempt.chunk == chunk and attempt.in_hand(kill.at, kill.back_at) for attempt in found)
            for kill in kills
        )
        if times > allowed:
            sentence = (
                f"{chunk} was worked on {times} times more than once, and was in hand at {allowed} kills."
            )
            differences.append(Difference(subject=chunk.job_id, sentence=sentence))
    return differences


def instances_left(instances: Iterable[Mapping[str, Any]]) -> list[Difference]:
    """Orchestrations that did not end, or not as they should."""
    return [
        Difference(subject=each["instanceId"], sentence=f"the orchestration is {each['runtimeStatus']}.")
        for each in instances
        if each["runtimeStatus"] != "Completed"
    ]
