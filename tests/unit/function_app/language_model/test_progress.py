"""Pieces of work are made once, and a call ends in time."""

from __future__ import annotations

import pytest

from contracts.errors import ErrorCode
from function_app import errors
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


def too_long(name: str, made: list[str]) -> progress.Piece:
    """Fits when it is one letter."""
    if len(name) == 1:
        return piece(name, made)
    error = errors.LanguageModelError(code=ErrorCode.LANGUAGE_MODEL_TRUNCATED, message="Too long.")
    middle = len(name) // 2
    return progress.Piece(
        key=name,
        make=piece(name, made, error=error).make,
        halves=lambda: (too_long(name[:middle], made), too_long(name[middle:], made)),
    )


def test_piece_that_does_not_fit_is_made_in_halves_and_never_tried_whole_again() -> None:
    made: list[str] = []
    store = progress.MemoryPieceStore()
    for calls in range(1, 8):
        one = progress.Progress(store=store, seconds=0, parallel_calls=1, clock=Clock())
        if calls < 7:
            with pytest.raises(progress.UnfinishedError):
                one.all([too_long("abcd", made)])
        else:
            assert one.all([too_long("abcd", made)]) == list("ABCD")
    assert made == ["abcd", "ab", "a", "b", "cd", "c", "d"]


def test_piece_that_cannot_be_cut_fails_as_it_is() -> None:
    error = errors.LanguageModelError(code=ErrorCode.LANGUAGE_MODEL_TRUNCATED, message="Too long.")
    work = progress.Progress(store=progress.MemoryPieceStore(), seconds=60)
    with pytest.raises(errors.LanguageModelError, match="Too long"):
        work.all([piece("a", [], error=error)])
    assert work.pieces_made == 0


class ForgetfulStore(progress.MemoryPieceStore):
    """As the folder `work` is when its job was cancelled."""

    def put(self, key: str, text: str) -> None:
        pass


def test_piece_is_not_made_again_because_its_store_was_emptied() -> None:
    made: list[str] = []
    work = progress.Progress(store=ForgetfulStore(), seconds=60, parallel_calls=2)
    assert work.all([piece(name, made) for name in "abcde"]) == list("ABCDE")
    assert sorted(made) == list("abcde")


def test_work_that_nobody_wants_any_longer_ends_after_the_pieces_in_hand() -> None:
    made: list[str] = []
    work = progress.Progress(
        store=progress.MemoryPieceStore(), seconds=60, parallel_calls=2, is_over=lambda: bool(made)
    )
    with pytest.raises(progress.UnfinishedError):
        work.all([piece(name, made) for name in "abcde"])
    assert sorted(made) == ["a", "b"]


def test_keys_of_different_parts_differ() -> None:
    assert progress.piece_key("ab", "c") != progress.piece_key("a", "bc")
