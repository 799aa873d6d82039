"""Where the command looks for the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from client import server


def test_given_address_wins(tmp_path: Path) -> None:
    _stack(tmp_path, '{"url": "http://127.0.0.1:9"}')
    assert server.find("https://speech.example", directory=tmp_path) == "https://speech.example"


def test_running_stack_is_found_from_a_folder_below(tmp_path: Path) -> None:
    _stack(tmp_path, '{"url": "http://127.0.0.1:9"}')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert server.find(None, directory=below) == "http://127.0.0.1:9"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"url": 7}'])
def test_unreadable_stack_file_leaves_the_default(tmp_path: Path, content: str) -> None:
    _stack(tmp_path, content)
    assert server.find(None, directory=tmp_path) == server.DEFAULT_URL


def _stack(directory: Path, content: str) -> None:
    path = directory / server.STACK_FILE
    path.parent.mkdir()
    path.write_text(content)
