"""Windows hold all the speech, in order, and none is too long."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_worker import windows
from gpu_worker.windows import Rules, Speech

SECONDS = st.floats(0, 300, allow_nan=False).map(lambda value: round(value, 3))
SPANS = st.lists(
    st.tuples(SECONDS, SECONDS).map(lambda pair: Speech(start=min(pair), end=max(pair))), max_size=30
)
RULES = st.builds(
    Rules,
    longest_seconds=st.sampled_from([2.0, 9.0, 30.0]),
    join_gap_seconds=st.sampled_from([0.0, 0.25, 2.0, 30.0]),
    margin_seconds=st.sampled_from([0.0, 0.1, 0.5]),
)
SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=5)
BOUNDS = Speech(start=10.0, end=250.0)


def _plan(spans: list[Speech], rules: Rules, shares: list[float]) -> tuple[windows.Window, ...]:
    turn = itertools.cycle(shares)
    return windows.plan(
        spans,
        bounds=BOUNDS,
        rules=rules,
        quietest=lambda earliest, latest: earliest + next(turn) * (latest - earliest),
    )


def _joined(spans: list[Speech]) -> list[tuple[float, float]]:
    """Pieces that touch, as one."""
    joined: list[tuple[float, float]] = []
    for span in spans:
        if joined and joined[-1][1] == span.start:
            joined[-1] = (joined[-1][0], span.end)
        else:
            joined.append((span.start, span.end))
    return joined


@given(spans=SPANS, rules=RULES, shares=SHARES)
def test_every_instant_of_speech_is_in_exactly_one_window(
    spans: list[Speech], rules: Rules, shares: list[float]
) -> None:
    pieces = [piece for window in _plan(spans, rules, shares) for piece in window.speech]
    wanted = windows.merged(spans, bounds=BOUNDS)
    assert _joined(pieces) == [(span.start, span.end) for span in wanted]


@given(spans=SPANS, rules=RULES, shares=SHARES)
def test_no_window_is_longer_than_the_model_can_hear(
    spans: list[Speech], rules: Rules, shares: list[float]
) -> None:
    for window in _plan(spans, rules, shares):
        assert window.seconds <= rules.longest_seconds + 1e-9


@given(spans=SPANS, rules=RULES, shares=SHARES)
def test_windows_are_in_order_inside_the_chunk_and_around_their_speech(
    spans: list[Speech], rules: Rules, shares: list[float]
) -> None:
    planned = _plan(spans, rules, shares)
    for window in planned:
        assert BOUNDS.start <= window.start <= window.speech[0].start
        assert window.speech[-1].end <= window.end <= BOUNDS.end
    for earlier, later in itertools.pairwise(planned):
        assert earlier.end <= later.start + 1e-9


@pytest.mark.parametrize(
    ("join_gap_seconds", "expected"),
    [(0.0, 3), (0.5, 2), (5.0, 1)],
    ids=["never joined", "joined over short gaps", "joined over all gaps"],
)
def test_speech_shares_a_window_only_over_short_gaps(join_gap_seconds: float, expected: int) -> None:
    spans = [Speech(start=11, end=12), Speech(start=12.4, end=13), Speech(start=16, end=17)]
    rules = Rules(longest_seconds=30, join_gap_seconds=join_gap_seconds, margin_seconds=0.2)
    assert len(_plan(spans, rules, [1.0])) == expected


def test_a_gap_between_windows_is_shared_by_their_margins() -> None:
    spans = [Speech(start=11, end=12), Speech(start=12.3, end=13)]
    first, second = _plan(spans, Rules(longest_seconds=9, join_gap_seconds=0, margin_seconds=0.2), [1.0])
    assert (first.end, second.start) == (12.15, 12.15)
    assert (first.start, second.end) == (10.8, 13.2)


def test_a_margin_ends_with_the_chunk() -> None:
    (window,) = _plan(
        [Speech(start=10.05, end=250)],
        Rules(longest_seconds=300, join_gap_seconds=0, margin_seconds=0.2),
        [1.0],
    )
    assert (window.start, window.end) == (10.0, 250.0)


def test_long_speech_is_cut_where_it_is_quietest() -> None:
    asked: list[tuple[float, float]] = []

    def quietest(earliest: float, latest: float) -> float:
        asked.append((earliest, latest))
        return 16.0

    rules = Rules(longest_seconds=9, join_gap_seconds=0, margin_seconds=0)
    planned = windows.plan([Speech(start=10, end=22)], bounds=BOUNDS, rules=rules, quietest=quietest)
    assert asked == [(14.5, 19.0)]
    assert [(window.start, window.end) for window in planned] == [(10, 16), (16, 22)]
