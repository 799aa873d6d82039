"""Which blob version was handed to which function, and how it went: one receipt for each such pair."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

from local_stack.functions_host import state
from local_stack.functions_host.state import CommitPoint


class State(StrEnum):
    """Where a blob stands with a function."""

    PENDING = "pending"
    """Attempted, and to be attempted again at `next_attempt_at`."""
    DONE = "done"
    PUT_ASIDE = "put_aside"
    """Failed too often; never attempted again under this etag."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """One version of one blob, for one function."""

    function: str
    container: str
    blob: str
    etag: str


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """`next_attempt_at` is seconds since the epoch; `error` names the last failure."""

    key: Key
    state: State
    attempts: int
    next_attempt_at: float
    error: str | None = None


class Receipts:
    """SQLite keeps them, memory mirrors them, so that a poll of ten thousand known blobs costs no query."""

    def __init__(self, database: state.Database, *, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now
        rows = database.rows(
            "SELECT function, container, blob, etag, state, attempts, next_attempt_at, error"
            " FROM blob_receipts"
        )
        loaded = (_from_row(row) for row in rows)
        self._receipts: dict[Key, Receipt] = {receipt.key: receipt for receipt in loaded}

    def is_due(self, key: Key) -> bool:
        """Whether this version is new to the function, or waits for an attempt whose time has come."""
        receipt = self._receipts.get(key)
        if receipt is None:
            return True
        return receipt.state is State.PENDING and receipt.next_attempt_at <= self._now()

    def attempts(self, key: Key) -> int:
        receipt = self._receipts.get(key)
        return receipt.attempts if receipt else 0

    def begin(self, key: Key) -> int:
        """Count an attempt before it is made, so that a blob which kills the process is counted too."""
        attempts = self.attempts(key) + 1
        receipt = Receipt(key=key, state=State.PENDING, attempts=attempts, next_attempt_at=self._now())
        self._write(CommitPoint.ATTEMPT_BEGUN, receipt)
        return attempts

    def finish(self, key: Key) -> None:
        self._write(
            CommitPoint.BLOB_DONE,
            Receipt(key=key, state=State.DONE, attempts=self.attempts(key), next_attempt_at=self._now()),
        )

    def retry_after(self, key: Key, *, delay_seconds: float, error: str) -> None:
        due = self._now() + delay_seconds
        self._write(
            CommitPoint.RETRY_NOTED,
            Receipt(
                key=key, state=State.PENDING, attempts=self.attempts(key), next_attempt_at=due, error=error
            ),
        )

    def put_aside(self, key: Key, *, error: str) -> None:
        self._write(
            CommitPoint.BLOB_PUT_ASIDE,
            Receipt(
                key=key,
                state=State.PUT_ASIDE,
                attempts=self.attempts(key),
                next_attempt_at=self._now(),
                error=error,
            ),
        )

    def aside(self) -> list[Receipt]:
        """Every version that was put aside, whether or not its blob is still there."""
        return [receipt for receipt in self._receipts.values() if receipt.state is State.PUT_ASIDE]

    def forget_absent(
        self, functions: Collection[str], listed: Collection[tuple[str, str]], keep: Collection[Key]
    ) -> int:
        """Drop these functions' receipts of versions that a complete listing no longer has; returns how many.

        The listing is of (blob, etag). Safe because a blob that comes back has another etag. What is put
        aside or in `keep` stays.
        """
        absent = [
            key
            for key, receipt in self._receipts.items()
            if key.function in functions
            and receipt.state is not State.PUT_ASIDE
            and (key.blob, key.etag) not in listed
            and key not in keep
        ]
        if absent:
            self._database.commit(
                CommitPoint.RECEIPTS_FORGOTTEN,
                "DELETE FROM blob_receipts WHERE function = ? AND container = ? AND blob = ? AND etag = ?",
                [(key.function, key.container, key.blob, key.etag) for key in absent],
            )
        for key in absent:
            del self._receipts[key]
        return len(absent)

    def _write(self, point: CommitPoint, receipt: Receipt) -> None:
        self._database.commit(
            point, "INSERT OR REPLACE INTO blob_receipts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [_to_row(receipt)]
        )
        self._receipts[receipt.key] = receipt


def _to_row(receipt: Receipt) -> tuple[object, ...]:
    key = receipt.key
    return (
        key.function,
        key.container,
        key.blob,
        key.etag,
        receipt.state,
        receipt.attempts,
        receipt.next_attempt_at,
        receipt.error,
    )


def _from_row(row: tuple[str, str, str, str, str, int, float, str | None]) -> Receipt:
    function, container, blob, etag, state, attempts, next_attempt_at, error = row
    key = Key(function=function, container=container, blob=blob, etag=etag)
    return Receipt(
        key=key, state=State(state), attempts=attempts, next_attempt_at=next_attempt_at, error=error
    )
