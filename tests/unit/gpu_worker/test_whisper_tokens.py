"""Tokens with timestamps become timed pieces of text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_worker.whisper_tokens import segments_of

END, FIRST = 100, 200
"""Ids below END are text, ids from FIRST on are times of 20 ms."""


def _time(seconds: float) -> int:
    return FIRST + round(seconds / 0.02)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([_time(0.4), 1, 2, _time(1.0)], [(0.4, 1.0, (1, 2))], id="one sentence"),
        pytest.param(
            [_time(0), 1, _time(1), _time(1.5), 2, _time(3)],
            [(0.0, 1.0, (1,)), (1.5, 3.0, (2,))],
            id="two sentences with a pause",
        ),
        pytest.param([1, 2], [(0.0, 5.0, (1, 2))], id="no times at all"),
        pytest.param([_time(2), 1], [(2.0, 5.0, (1,))], id="cut off by the end of the window"),
        pytest.param([_time(0), 1, _time(9)], [(0.0, 5.0, (1,))], id="a time after the end of the window"),
        pytest.param(
            [_time(3), 1, _time(2), 2, _time(4)],
            [(3.0, 3.0, (1,)), (3.0, 4.0, (2,))],
            id="times that run backwards",
        ),
        pytest.param([_time(0), END, 150, _time(1)], [], id="special tokens are no text"),
    ],
)
def test_text_lies_between_its_timestamps(
    tokens: list[int], expected: list[tuple[float, float, tuple[int, ...]]]
) -> None:
    found = segments_of(tokens, end_of_text=END, first_timestamp=FIRST, seconds=5.0)
    assert [segment.tokens for segment in found] == [text for _, _, text in expected]
    assert [segment.start for segment in found] == pytest.approx([start for start, _, _ in expected])
    assert [segment.end for segment in found] == pytest.approx([end for _, end, _ in expected])


@given(st.lists(st.integers(0, FIRST + 1500), max_size=60), st.floats(0.1, 30))
def test_no_text_is_lost_and_times_never_run_backwards(tokens: list[int], seconds: float) -> None:
    found = segments_of(tokens, end_of_text=END, first_timestamp=FIRST, seconds=seconds)
    assert [token for segment in found for token in segment.tokens] == [t for t in tokens if t < END]
    times = [time for segment in found for time in (segment.start, segment.end)]
    assert times == sorted(times)
    assert all(0 <= time <= seconds for time in times)
