"""Whatever order things happen in, and however often, a run comes to the same end."""

from __future__ import annotations

import functools
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import jobs, steps
from local_stack.functions_host.durable import values
from tests.replay import task_hub
from tests.replay import world as worlds
from tests.replay.world import Delivery, World

CHUNKS = 3
NAMES = ["prepare.0.1", "lid.0.1", *worlds.names(steps.Step.TRANSCRIBE, range(CHUNKS))]
GIVEN = worlds.run_input(jobs.Workflow.FULL_PIPELINE, source_language=None, lanes=2)

quick = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@functools.cache
def expected() -> dict[str, object]:
    world = World(chunk_count=CHUNKS)
    world.run(GIVEN)
    return world.end


def any_but_timers(random: Random) -> task_hub.Chooser:
    def choose(waiting: list[task_hub.Happening]) -> task_hub.Happening:
        ready = [happening for happening in waiting if happening.kind != "timer"]
        return random.choice(ready) if ready else min(waiting, key=lambda happening: happening.due)

    return choose


deliveries = st.lists(
    st.sampled_from([Delivery.NORMAL, Delivery.EARLY, Delivery.TWICE, Delivery.EARLY_AND_LATER]),
    min_size=len(NAMES),
    max_size=len(NAMES),
)


@quick
@given(how=deliveries, random=st.randoms(use_true_random=False))
def test_order_and_repetition_of_answers_do_not_matter(how: list[Delivery], random: Random) -> None:
    world = World(chunk_count=CHUNKS, delivery=dict(zip(NAMES, how, strict=True)))
    world.hub.choose = any_but_timers(random)
    assert world.run(GIVEN).output == {"status": "completed"}
    assert world.end == expected()


@quick
@given(how=deliveries, random=st.randoms(use_true_random=False))
def test_timers_that_fire_at_any_time_do_not_matter_when_results_lie_there(
    how: list[Delivery], random: Random
) -> None:
    world = World(
        chunk_count=CHUNKS,
        delivery=dict(zip(NAMES, how, strict=True)),
        found_by_reconciliation=set(NAMES),
    )
    world.hub.choose = random.choice
    assert world.run(GIVEN).output == {"status": "completed"}
    assert world.end == expected()


@quick
@given(moment=st.integers(0, 45), random=st.randoms(use_true_random=False))
def test_run_that_is_cancelled_at_any_moment_ends_and_sends_nothing_more(moment: int, random: Random) -> None:
    world = World(chunk_count=CHUNKS)
    inner, seen = any_but_timers(random), list(range(moment))

    def choose(waiting: list[task_hub.Happening]) -> task_hub.Happening:
        if seen:
            seen.pop()
        elif not world.is_cancelled:
            world.is_cancelled = True
        return inner(waiting)

    world.hub.choose = choose
    instance = world.run(GIVEN)
    assert instance.status is values.Status.COMPLETED
    assert instance.output["status"] in ("cancelled", "completed")
    assert instance.output["status"] == "cancelled" or moment > 10


@quick
@given(
    lost=st.sets(st.sampled_from([f"{name[:-1]}{attempt}" for name in NAMES for attempt in (1, 2, 3)])),
    random=st.randoms(use_true_random=False),
)
def test_run_always_ends_whatever_is_lost(lost: set[str], random: Random) -> None:
    world = World(chunk_count=CHUNKS, delivery=dict.fromkeys(lost, Delivery.NEVER))
    world.hub.choose = any_but_timers(random)
    instance = world.run(GIVEN)
    assert instance.status is values.Status.COMPLETED
    assert world.end["status"] == instance.output["status"]
    assert instance.output["status"] in ("completed", "partial_complete", "failed")
