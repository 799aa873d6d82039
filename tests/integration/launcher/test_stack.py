"""What goes wrong around the stack does not end it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from local_stack import azurite, free_ports
from local_stack.launcher import __main__ as command
from local_stack.launcher import description, engines, ports, services, stack, state


@pytest.fixture
def described(tmp_path: Path) -> tuple[stack.Stack, list[str]]:
    """A stack that knows what it would run, and what it says."""
    said: list[str] = []
    made = stack.Stack(stack.StackOptions(state=tmp_path), tell=said.append)
    made._plan = services.Plan(
        folder=state.StateFolder(root=tmp_path),
        ports=ports.Ports(),
        environment={},
        engines=engines.NONE,
        account=azurite.WELL_KNOWN,
    )
    return made, said


def test_description_says_where_the_stack_is(
    described: tuple[stack.Stack, list[str]], tmp_path: Path
) -> None:
    made, said = described
    made._describe()
    written = state.StateFolder(root=tmp_path).read()
    assert written is not None
    assert (written.url, said) == ("http://127.0.0.1:7071", [])


def test_description_that_cannot_be_written_is_told(
    described: tuple[stack.Stack, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_folder: state.StateFolder, _stack: description.Description) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state.StateFolder, "write", full)
    made, said = described
    made._describe()
    assert said == [f"{tmp_path / 'stack.json'} cannot be written: No space left on device"]


def test_port_that_is_taken_is_moved_and_it_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    with free_ports.hold_free_port() as taken:
        taken.listen()
        port = taken.getsockname()[1]
        wanted = ports.Ports(api=port, blobs=0, broker=0, counts=0, postgres=0)
        options = stack.StackOptions(state=tmp_path, ports=wanted, profile=engines.Profile.FIXTURES)
        plan = stack.Stack(options, tell=said.append)._make_plan()
    assert plan.ports.api != port
    assert f"Port {port} (api) is taken; using {plan.ports.api}" in said


def test_line_that_nobody_can_read_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, _text: str, /) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Closed())
    command._say("still here")
