"""The whole stack, started once for all acceptance tests, and the command that people use."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import client
from local_stack.demo import recordings
from local_stack.launcher import engines, ports, stack
from tests.acceptance.command import Command

LONG_SECONDS = 60


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stack.Stack]:
    """Every process running, with the fixture models and ports and state of its own."""
    options = stack.StackOptions(
        state=tmp_path_factory.mktemp("stack"), ports=ports.ANY, profile=engines.Profile.FIXTURES
    )
    with stack.Stack(options, tell=_say) as running:
        yield running


@pytest.fixture(scope="session")
def speech(local_stack: stack.Stack) -> Iterator[client.SpeechFlow]:
    with client.SpeechFlow(local_stack.url) as connected:
        yield connected


@pytest.fixture(scope="session")
def speechflow(local_stack: stack.Stack) -> Command:
    """The command, talking to the stack."""
    return Command(url=local_stack.url)


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recordings that are made from the samples."""
    folder = tmp_path_factory.mktemp("media")
    recordings.make_media(
        folder, "video", "truncated-m4a", "text", "empty", "long", options=["--seconds", str(LONG_SECONDS)]
    )
    return folder


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
