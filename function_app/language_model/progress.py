"""Pieces of work that are kept as they are done, and the time that one call may take."""

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from typing import Protocol


class UnfinishedError(Exception):
    """The time for one call is over; what is done is kept."""


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


def piece_key(*parts: str) -> str:
    """SHA-256 of the parts; neighbours cannot run into each other."""
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


@dataclass(kw_only=True)
class Progress:
    """One call's share of the work. Makes at least one piece, however little time there is."""

    store: PieceStore
    seconds: float
    parallel_calls: int = 4
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._deadline = self.clock() + self.seconds

    def all(self, pieces: Sequence[Piece]) -> list[str]:
        """The pieces' texts, in order: those that are kept, and the others made side by side.

        Raises what making a piece raises, after those that were under way have been kept; UnfinishedError
        when time ran out.
        """
        missing = [piece for piece in pieces if self.store.get(piece.key) is None]
        for first in range(0, len(missing), self.parallel_calls):
            if first and self.clock() >= self._deadline:
                raise UnfinishedError
            self._make(missing[first : first + self.parallel_calls])
        return [self._kept(piece) for piece in pieces]

    def _make(self, pieces: Sequence[Piece]) -> None:
        with futures.ThreadPoolExecutor(max_workers=self.parallel_calls) as pool:
            made = [pool.submit(self._make_one, piece) for piece in pieces]
        for one in made:
            one.result()

    def _make_one(self, piece: Piece) -> None:
        self.store.put(piece.key, piece.make())

    def _kept(self, piece: Piece) -> str:
        text = self.store.get(piece.key)
        return piece.make() if text is None else text
