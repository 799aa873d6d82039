"""Ports that servers are given before they listen."""

from __future__ import annotations

from pathlib import Path

from local_stack import free_ports

OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_no_port_is_given_twice() -> None:
    given = [free_ports.free_port() for _ in range(200)]
    assert len(set(given)) == len(given)


def test_held_port_is_given_to_nobody_else() -> None:
    with free_ports.hold_free_port() as held:
        assert held.getsockname()[1] not in {free_ports.free_port() for _ in range(500)}


def test_no_outgoing_connection_can_take_a_free_port() -> None:
    lowest, highest = (int(number) for number in OUTGOING.read_text().split())
    assert not lowest <= free_ports.free_port() <= highest
