"""Timers of a real host, and what a restart tells them."""

from __future__ import annotations

import contextlib
import sqlite3

from tests.integration.functions_host import host_process, sample_app

wait_for = host_process.wait_for


def test_timers_come_again_and_a_missed_one_is_past_due_after_a_restart(folder: sample_app.Folder) -> None:
    with host_process.running_host(folder.settings()) as host:
        wait_for(lambda: len(folder.notes.of("tick")) >= 3)
        # run_on_startup, once; its status is written when the run has ended.
        wait_for(lambda: host.counts()["functions"]["yearly"]["in_flight"] == 0)
        assert [note["past_due"] for note in folder.notes.of("yearly")] == [False]
        host.kill()
    with contextlib.closing(sqlite3.connect(folder.path / "database" / "host.sqlite")) as database:
        missed = "UPDATE timer_schedules SET next = '2020-01-01T00:00:00+00:00'"
        # The yearly one alone: timers under a minute are not monitored, as in Azure.
        assert database.execute(missed).rowcount == 1
        database.commit()
    with host_process.running_host(folder.settings()):
        wait_for(lambda: len(folder.notes.of("yearly")) == 2)
    assert [note["past_due"] for note in folder.notes.of("yearly")] == [False, True]
    assert not any(note["past_due"] for note in folder.notes.of("tick"))
