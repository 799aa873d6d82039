"""Logs stay short and keep what was written last."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_stack.launcher import logs


def test_long_log_moves_aside_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "broker.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old\n" * 100)
        assert logs.trim(log, limit_bytes=100)
        writer.write(b"new\n")
    assert log.read_text() == "new\n"
    assert (tmp_path / "broker.log.1").read_text() == "old\n" * 100


def test_short_or_missing_log_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "broker.log"
    assert not logs.trim(log)
    log.write_text("few\n")
    assert not logs.trim(log)
    assert log.read_text() == "few\n"


def test_end_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "broker.log"
    log.write_text("".join(f"line {number}\n" for number in range(5000)))
    assert logs.end(log, lines=2) == "line 4998\nline 4999"
    assert logs.end(tmp_path / "none.log") == "(no log)"


def test_log_that_cannot_be_moved_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    log = tmp_path / "host.log"
    log.write_text("0123456789")
    monkeypatch.setattr("shutil.copyfile", full)
    assert not logs.trim(log, limit_bytes=5)
    assert log.read_text() == "0123456789"
