"""The host's own file: a transaction happens whole or not at all, and the next one goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_stack.functions_host import errors, state

INSERT = "INSERT INTO timer_schedules VALUES (?, ?, ?, ?, ?)"


def row(name: str) -> tuple[str, ...]:
    return (name, "0 * * * * *", "last", "next", "updated")


def test_row_that_cannot_be_written_undoes_its_transaction_only() -> None:
    database = state.connect(Path(":memory:"))
    with pytest.raises(UnicodeEncodeError):
        database.commit(state.CommitPoint.TIMER_NOTED, INSERT, [row("good"), row("\ud83d")])
    database.commit(state.CommitPoint.TIMER_NOTED, INSERT, [row("next")])
    assert database.rows("SELECT function FROM timer_schedules") == [("next",)]
    database.close()


def test_place_where_no_file_can_be_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(errors.DatabaseUnusableError, match=r"file/host\.sqlite: .*exists"):
        state.connect(tmp_path / "file" / "host.sqlite")
