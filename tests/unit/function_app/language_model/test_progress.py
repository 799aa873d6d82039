"""Pieces of work are made once, and a call ends in time."""

from __future__ import annotations

import pytest

from function_app.language_model import progress


class Clock:
    """Moves a second at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def piece(name: str, made: list[str], *, error: Exception | None = None) -> progress.Piece:
    def make() -> str:
        made.append(name)
        if error:
            raise error
        return name.upper()

    return progress.Piece(key=name, make=make)


def test_texts_come_in_order_and_are_made_once() -> None:
    made: list[str] = []
    store = progress.MemoryPieceStore()
    pieces = [piece(name, made) for name in "abcde"]
    for _ in range(2):
        assert progress.Progress(store=store, seconds=60).all(pieces) == ["A", "B", "C", "D", "E"]
    assert sorted(made) == list("abcde")


def test_at_least_one_round_is_made_however_little_time_there_is() -> None:
    made: list[str] = []
    store = progress.MemoryPieceStore()
    pieces = [piece(name, made) for name in "abc"]
    for _ in range(2):
        with pytest.raises(progress.UnfinishedError):
            progress.Progress(store=store, seconds=0, parallel_calls=1, clock=Clock()).all(pieces)
    assert progress.Progress(store=store, seconds=0, parallel_calls=1, clock=Clock()).all(pieces) == list(
        "ABC"
    )
    assert made == list("abc")


def test_neighbours_of_a_failed_piece_are_kept() -> None:
    made: list[str] = []
    store = progress.MemoryPieceStore()
    pieces = [piece("a", made), piece("b", made, error=RuntimeError("no")), piece("c", made)]
    with pytest.raises(RuntimeError):
        progress.Progress(store=store, seconds=60).all(pieces)
    assert set(store.pieces) == {"a", "c"}


def test_keys_of_different_parts_differ() -> None:
    assert progress.piece_key("ab", "c") != progress.piece_key("a", "bc")
