"""The extension's loop over actions, on histories written by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from local_stack.functions_host.durable import actions, errors, history, replayer

START = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
AT = "2026-11-20T12:00:00.000000Z"
LATER = "2026-11-20T12:00:30.000000Z"
A = actions.CallActivity(name="A", input_text="1")
B = actions.CallActivity(name="B", input_text="2")
RETRIED = actions.CallActivity(
    name="A", input_text="1", retry=actions.Retry(interval=timedelta(seconds=5), max_attempts=2)
)
CHILD = actions.CallSubOrchestrator(name="C", input_text=None, instance_id=None, version=None)
TIMER = actions.CreateTimer(fire_at=START + timedelta(minutes=1))
CANCELLED = actions.CreateTimer(fire_at=START + timedelta(minutes=1), is_cancelled=True)
GO = actions.WaitForEvent(name="go")


def scheduled(task_id: int, work: actions.Work = A) -> history.Event:
    if isinstance(work, actions.CreateTimer):
        return history.Event(kind=history.Kind.TIMER_CREATED, timestamp=AT, event_id=task_id)
    kinds = {
        actions.CallActivity: history.Kind.TASK_SCHEDULED,
        actions.CallSubOrchestrator: history.Kind.SUB_ORCHESTRATION_CREATED,
    }
    return history.Event(kind=kinds[type(work)], timestamp=AT, event_id=task_id, fields={"Name": work.name})


def completed(task_id: int) -> history.Event:
    return history.task_completed(at=AT, task_id=task_id, result="1")


def failed(task_id: int) -> history.Event:
    return history.task_failed(at=AT, task_id=task_id, reason="no", details="")


def fired(task_id: int) -> history.Event:
    return history.timer_fired(at=AT, task_id=task_id, fire_at=AT)


def raised(name: str = "go") -> history.Event:
    return history.event_raised(at=AT, name=name, input_text="1")


def turn_at(at: str) -> history.Event:
    return history.orchestrator_started(at=at)


def all_of(*children: actions.Action) -> actions.WhenAll:
    return actions.WhenAll(children=children)


def any_of(*children: actions.Action) -> actions.WhenAny:
    return actions.WhenAny(children=children)


def replay(wanted: list[actions.Action], events: list[history.Event]) -> replayer.Replayer:
    this = replayer.Replayer(wanted, started_at=START)
    this.feed(events)
    return this


@pytest.mark.parametrize(
    ("wanted", "events", "new", "open_ids", "is_at_end"),
    [
        pytest.param([], [], {}, set(), True, id="nothing asked for is the end"),
        pytest.param([A], [], {0: A}, {0}, False, id="a first activity is new work"),
        pytest.param([A, B], [], {0: A}, {0}, False, id="the second action waits for the first"),
        pytest.param([A], [scheduled(0)], {}, {0}, False, id="a scheduled activity is not new"),
        pytest.param([A, B], [scheduled(0), completed(0)], {1: B}, {1}, False, id="done, so the next one"),
        pytest.param([A, B], [scheduled(0), failed(0)], {1: B}, {1}, False, id="failed, so the next one too"),
        pytest.param([CHILD], [], {0: CHILD}, {0}, False, id="a sub-orchestration"),
        pytest.param([GO, A], [], {}, set(), False, id="an event takes no id and is no open task"),
        pytest.param([GO, A], [raised()], {0: A}, {0}, False, id="the event after its wait"),
        pytest.param([A, GO], [scheduled(0), raised(), completed(0)], {}, set(), True, id="before its wait"),
        pytest.param([GO], [raised("GO")], {}, set(), True, id="the case of event names is ignored"),
        pytest.param(
            [all_of(A, B)],
            [scheduled(0), scheduled(1, B), completed(1)],
            {},
            {0},
            False,
            id="all: one is open",
        ),
        pytest.param(
            [all_of(A, B), TIMER],
            [scheduled(0), scheduled(1, B), failed(1)],
            {},
            {0},
            False,
            id="all with a failure waits for the siblings still (G4)",
        ),
        pytest.param(
            [any_of(GO, TIMER), A],
            [scheduled(0, TIMER), fired(0)],
            {1: A},
            {1},
            False,
            id="any goes on with its first",
        ),
        pytest.param(
            [any_of(GO, TIMER)],
            [scheduled(0, TIMER), raised()],
            {},
            {0},
            True,
            id="the losing timer stays open until it fires",
        ),
        pytest.param(
            [any_of(GO, CANCELLED)],
            [scheduled(0, TIMER), raised()],
            {},
            set(),
            True,
            id="a cancelled timer is not open",
        ),
        pytest.param(
            [CANCELLED], [], {0: CANCELLED}, set(), True, id="cancelled at once, created all the same"
        ),
        pytest.param([all_of(), A], [], {0: A}, {0}, False, id="all of nothing is done"),
        pytest.param(
            [TIMER], [scheduled(0, TIMER), fired(0), fired(0)], {}, set(), True, id="twice is harmless"
        ),
        pytest.param(
            [any_of(A, B), any_of(GO), TIMER],
            [scheduled(0), scheduled(1, B), completed(0), completed(1)],
            {},
            set(),
            False,
            id="a task carried from one any to the next is not awaited there (G3)",
        ),
    ],
)
def test_replay_finds_new_work_and_what_is_open(
    wanted: list[actions.Action],
    events: list[history.Event],
    new: dict[int, actions.Work],
    open_ids: set[int],
    is_at_end: bool,  # noqa: FBT001 - a column of the table
) -> None:
    this = replay(wanted, events)
    assert this.new_work == new
    assert this.open_ids == open_ids
    assert this.has_awaited_all is is_at_end


def test_waiters_of_one_event_name_are_a_stack() -> None:
    this = replay(
        [any_of(GO, TIMER), all_of(GO, A), B], [scheduled(0, TIMER), fired(0), scheduled(1), raised()]
    )
    assert this.new_work == {}, "the later waiter took the event"
    this.feed([completed(1)])
    assert this.new_work == {2: B}


def test_buffered_events_of_one_name_are_taken_one_by_one() -> None:
    this = replay([A, GO, GO, B], [scheduled(0), raised(), raised(), completed(0)])
    assert this.new_work == {1: B}


class TestRetry:
    def test_failure_schedules_a_timer_of_the_interval(self) -> None:
        this = replay([all_of(RETRIED)], [turn_at(AT), scheduled(0), turn_at(LATER), failed(0)])
        fire_at = START + timedelta(seconds=35)
        assert this.new_work == {1: actions.CreateTimer(fire_at=fire_at)}

    def test_fired_timer_schedules_the_activity_again(self) -> None:
        this = replay([all_of(RETRIED)], [scheduled(0), failed(0), scheduled(1, TIMER), fired(1)])
        assert this.new_work == {2: RETRIED}

    def test_last_failure_schedules_one_more_timer_which_fires_at_once(self) -> None:
        events = [
            scheduled(0),
            failed(0),
            scheduled(1, TIMER),
            fired(1),
            scheduled(2),
            turn_at(LATER),
            failed(2),
        ]
        this = replay([all_of(RETRIED)], events)
        assert this.new_work == {3: actions.CreateTimer(fire_at=START + timedelta(seconds=30))}
        assert not this.has_awaited_all
        this.feed([scheduled(3, TIMER), fired(3)])
        assert this.has_awaited_all

    def test_success_needs_no_timer(self) -> None:
        assert replay([all_of(RETRIED)], [scheduled(0), completed(0)]).has_awaited_all

    def test_two_retries_side_by_side_number_their_work_in_the_order_of_history(self) -> None:
        this = replay([all_of(RETRIED, RETRIED)], [scheduled(0), scheduled(1), failed(1), failed(0)])
        assert set(this.new_work) == {2, 3}
        this.feed([scheduled(2, TIMER), scheduled(3, TIMER), fired(3), fired(2)])
        assert this.new_work == {4: RETRIED, 5: RETRIED}

    def test_retry_raced_against_a_cancelled_timer_breaks_the_numbering(self) -> None:
        """The cancelled timer is done from the start, so B takes the retry timer's number."""
        wanted: list[actions.Action] = [any_of(RETRIED, CANCELLED), B]
        events = [scheduled(0), scheduled(1, TIMER), failed(0), scheduled(2, TIMER), fired(2), scheduled(3)]
        with pytest.raises(errors.NonDeterministicError):
            replay(wanted, [*events, completed(3)])


@pytest.mark.parametrize(
    ("wanted", "event"),
    [
        pytest.param([B], scheduled(0), id="another activity"),
        pytest.param([TIMER], scheduled(0), id="another kind of work"),
        pytest.param([GO], scheduled(0), id="nothing of that number"),
        pytest.param([A], scheduled(0, TIMER), id="a timer then, an activity now"),
        pytest.param([A], scheduled(0, CHILD), id="a sub-orchestration then, an activity now"),
    ],
)
def test_history_that_replay_does_not_ask_for_is_non_deterministic(
    wanted: list[actions.Action], event: history.Event
) -> None:
    with pytest.raises(errors.NonDeterministicError, match="sequence number 0"):
        replay(wanted, [event])
