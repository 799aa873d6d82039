"""Faults follow from their seed."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.faults import messages, monkey, proxy, supply


def test_same_seed_kills_the_same_processes_after_the_same_pauses() -> None:
    assert list(monkey.plan(30, 7)) == list(monkey.plan(30, 7))
    assert list(monkey.plan(30, 7)) != list(monkey.plan(30, 8))


def test_thirty_kills_reach_every_process_five_times() -> None:
    killed = Counter(each.victim for each in monkey.plan(30, 1))
    assert killed == dict.fromkeys(monkey.VICTIMS, 5)


def test_same_seed_and_number_give_a_connection_the_same_fault() -> None:
    weather = proxy.Weather()
    assert [weather.fault_of(1, n) for n in range(50)] == [weather.fault_of(1, n) for n in range(50)]
    assert {weather.fault_of(1, n).kind for n in range(50)} == set(proxy.Kind)


def test_same_seed_gives_a_message_the_same_fate() -> None:
    names = [f"job.1:lid:0:{n}" for n in range(200)]
    assert [messages.fate_of(1, n) for n in names] == [messages.fate_of(1, n) for n in names]
    assert {messages.fate_of(1, n)[0] for n in names} == set(messages.Fate)


@pytest.mark.parametrize(("jobs", "kills"), [(20, 30), (3, 100), (50, 2), (1, 1)])
def test_every_job_comes_by_the_last_kill_and_some_come_amid_the_kills(jobs: int, kills: int) -> None:
    come = [supply.due(jobs, kills, made) for made in range(kills + 1)]
    assert come == sorted(come)
    assert come[-1] == jobs
    assert jobs == 1 or come[0] < jobs


def test_jobs_come_early_while_all_others_have_ended() -> None:
    idle = iter([True, True, False])
    coming = supply.Supply(job_count=5, kill_count=10, is_idle=lambda _come: next(idle))
    coming.killed(0)
    coming.keep_busy()
    assert coming.come == 4
    coming.killed(1)
    assert coming.come == 4
    coming.end()
    for _ in range(5):
        coming.wait_for_turn()
