"""Pieces of work that are kept as they are done, and the time that one call may take."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from typing import Final, Protocol

from contracts.errors import ErrorCode
from function_app import errors

HALVED: Final = "does not fit"
"""Kept instead of a text: the piece does not fit into one call, and its halves are made."""


class UnfinishedError(Exception):
    """This call is over, the work is not; what is done is kept."""


class PieceStore(Protocol):
    """Texts by key; safe to share between threads."""

    def get(self, key: str) -> str | None:
        """None when the piece is not done."""

    def put(self, key: str, text: str) -> None:
        """The first text of a key stays."""


@dataclass(kw_only=True)
class MemoryPieceStore:
    """For tests, and for work that fits into one call."""

    pieces: dict[str, str] = field(default_factory=dict)

    def get(self, key: str) -> str | None:
        return self.pieces.get(key)

    def put(self, key: str, text: str) -> None:
        self.pieces.setdefault(key, text)


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One call of the model, under a key made of all that its answer depends on."""

    key: str
    make: Callable[[], str]
    halves: Callable[[], Sequence["Piece"]] = tuple
    """What is made instead where the piece is too long for the model; nothing where it cannot be cut."""


def piece_key(*parts: str) -> str:
    """SHA-256 of the parts; neighbours cannot run into each other."""
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


@dataclass(kw_only=True)
class Progress:
    """One call's share of the work. Makes at least one round of pieces, however little time there is."""

    store: PieceStore
    seconds: float
    parallel_calls: int = 4
    clock: Callable[[], float] = time.monotonic
    is_over: Callable[[], bool] = lambda: False
    """True when nobody wants the work any longer; asked between rounds."""
    pieces_made: int = 0
    """By this call, those included that turned out not to fit."""

    def __post_init__(self) -> None:
        self._deadline = self.clock() + self.seconds
        self._texts: dict[str, str | None] = {}
        self._halves: dict[str, Sequence[Piece]] = {}

    def all(self, pieces: Sequence[Piece]) -> list[str]:
        """The pieces' texts, in order: those that are kept, and the others made side by side.

        A piece that does not fit has the texts of its halves. Raises what making a piece raises, after those
        that were under way have been kept; UnfinishedError between rounds when time
        ran out or the work is over.
        """
        while missing := self._missing(pieces):
            if self.pieces_made and (self.clock() >= self._deadline or self.is_over()):
                raise UnfinishedError
            self._make(missing[: self.parallel_calls])
        return [text for leaf in self._leaves(pieces) if (text := self._text(leaf)) is not None]

    def _missing(self, pieces: Sequence[Piece]) -> list[Piece]:
        by_key = {leaf.key: leaf for leaf in self._leaves(pieces) if self._text(leaf) is None}
        return list(by_key.values())

    def _leaves(self, pieces: Sequence[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            if self._text(piece) == HALVED:
                yield from self._leaves(self._halves_of(piece))
            else:
                yield piece

    def _text(self, piece: Piece) -> str | None:
        """Asked for once: what was seen stays seen, whatever becomes of the store."""
        if piece.key not in self._texts:
            self._texts[piece.key] = self.store.get(piece.key)
        return self._texts[piece.key]

    def _halves_of(self, piece: Piece) -> Sequence[Piece]:
        if piece.key not in self._halves:
            self._halves[piece.key] = piece.halves()
        return self._halves[piece.key]

    def _make(self, pieces: Sequence[Piece]) -> None:
        with futures.ThreadPoolExecutor(max_workers=self.parallel_calls) as pool:
            made = [(piece, pool.submit(self._make_one, piece)) for piece in pieces]
        for piece, one in made:
            if one.exception() is None:
                self._texts[piece.key] = one.result()
                self.pieces_made += 1
        for _, one in made:
            one.result()

    def _make_one(self, piece: Piece) -> str:
        text = self._made(piece)
        self.store.put(piece.key, text)
        return text

    def _made(self, piece: Piece) -> str:
        try:
            return piece.make()
        except errors.LanguageModelError as error:
            if error.code != ErrorCode.LANGUAGE_MODEL_TRUNCATED or not piece.halves():
                raise
            return HALVED
