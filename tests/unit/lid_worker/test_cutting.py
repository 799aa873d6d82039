"""Where a recording is cut."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from lid_worker.prepare import cutting
from lid_worker.prepare.speech import SpeechSpan, Stretch


def span(start: int, end: int, *pauses: tuple[int, int]) -> SpeechSpan:
    return SpeechSpan(start=start, end=end, pauses=tuple(Stretch(start=a, end=b) for a, b in pauses))


def bounds(pieces: tuple[cutting.Piece, ...]) -> list[tuple[int, int]]:
    return [(piece.start, piece.end) for piece in pieces]


@st.composite
def recordings(draw: st.DrawFn) -> list[SpeechSpan]:
    """Spans in order and apart, some with pauses inside them."""
    place, spans = 0, []
    for _ in range(draw(st.integers(0, 12))):
        start = place + draw(st.integers(1, 400))
        end = start + draw(st.integers(1, 700))
        marks = sorted(draw(st.sets(st.integers(start, end), max_size=8)))
        pairs = [(a, b) for a, b in itertools.pairwise(marks) if a > start and b < end][::2]
        spans.append(span(start, end, *pairs))
        place = end
    return spans


@given(recordings(), st.integers(4, 500))
def test_every_sample_of_speech_is_in_exactly_one_piece_but_for_stated_overlaps(
    spans: list[SpeechSpan], longest: int
) -> None:
    pieces = cutting.cut(spans, longest=longest)
    held = sum(stretch.length for piece in pieces for stretch in piece.speech)
    assert held == sum(s.length for s in spans) + sum(piece.overlap for piece in pieces)
    covered = {
        sample for piece in pieces for stretch in piece.speech for sample in range(stretch.start, stretch.end)
    }
    assert covered == {sample for s in spans for sample in range(s.start, s.end)}


@given(recordings(), st.integers(4, 500))
def test_pieces_keep_to_the_limit_and_the_order(spans: list[SpeechSpan], longest: int) -> None:
    pieces = cutting.cut(spans, longest=longest)
    assert all(0 < piece.length <= longest for piece in pieces)
    for before, after in itertools.pairwise(pieces):
        assert after.start == before.end - after.overlap if after.overlap else after.start >= before.end
    for piece in pieces:
        assert piece.start == piece.speech[0].start
        assert piece.end == piece.speech[-1].end


@given(recordings(), st.integers(4, 500))
def test_speech_is_cut_blindly_only_where_no_silence_is_in_reach(
    spans: list[SpeechSpan], longest: int
) -> None:
    for before, after in itertools.pairwise(cutting.cut(spans, longest=longest)):
        if not after.overlap:
            continue
        assert before.length == longest
        (around,) = [s for s in spans if s.start <= before.start and before.end <= s.end]
        reachable = [p for p in around.pauses if before.start < (p.start + p.end) // 2 <= before.end]
        assert reachable == []


@given(recordings(), st.integers(4, 500))
def test_the_same_speech_is_always_cut_the_same(spans: list[SpeechSpan], longest: int) -> None:
    assert cutting.cut(spans, longest=longest) == cutting.cut(list(spans), longest=longest)


def test_nothing_is_cut_when_all_fits() -> None:
    assert bounds(cutting.cut([span(10, 40), span(60, 90)], longest=80)) == [(10, 90)]


def test_no_speech_gives_no_pieces() -> None:
    assert cutting.cut([], longest=100) == ()


def test_longest_silence_of_the_late_half_is_chosen() -> None:
    spans = [span(0, 30), span(55, 60), span(72, 75), span(77, 95), span(105, 130)]
    assert bounds(cutting.cut(spans, longest=100)) == [(0, 60), (72, 130)]


def test_long_silence_early_in_the_piece_does_not_make_it_short() -> None:
    spans = [span(0, 10), span(45, 80), span(82, 95), span(97, 140)]
    assert bounds(cutting.cut(spans, longest=100)) == [(0, 95), (97, 140)]


def test_early_silence_is_better_than_a_cut_in_speech() -> None:
    assert bounds(cutting.cut([span(0, 20), span(25, 110)], longest=100)) == [(0, 20), (25, 110)]


def test_silence_between_pieces_is_in_none_of_them() -> None:
    assert bounds(cutting.cut([span(0, 90), span(5000, 5090)], longest=100)) == [(0, 90), (5000, 5090)]


def test_endless_speech_is_cut_in_the_middle_of_its_longest_late_pause() -> None:
    pieces = cutting.cut([span(0, 150, (20, 40), (60, 64), (80, 90))], longest=100)
    assert bounds(pieces) == [(0, 85), (85, 150)]
    assert [piece.overlap for piece in pieces] == [0, 0]


def test_endless_speech_without_a_pause_is_cut_with_a_stated_overlap() -> None:
    pieces = cutting.cut([span(0, 250)], longest=100)
    assert bounds(pieces) == [(0, 100), (75, 175), (150, 250)]
    assert [piece.overlap for piece in pieces] == [0, 25, 25]
