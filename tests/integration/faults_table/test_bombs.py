"""A small file that becomes a giant costs bounded time, memory and disk, and is refused by its name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from contracts.errors import ErrorCode
from tests.integration.faults_table import bombs

pytestmark = pytest.mark.acceptance_long

ROOT: Final = Path(__file__).resolve().parents[3]
LONGEST_SECONDS: Final = 600
LIMIT_SECONDS: Final = 20.0
LIMIT_MIB: Final = 100.0
PCM_BYTES: Final = 32_000
"""Of one second."""

EXPECTED: Final = {
    "slow.wav": ErrorCode.CORRUPT_AUDIO,
    "slow.flac": ErrorCode.CORRUPT_AUDIO,
    "fast.wav": ErrorCode.CORRUPT_AUDIO,
    "hole.mkv": ErrorCode.TOO_LONG,
    "hours.flac": ErrorCode.TOO_LONG,
    "endless.wav": ErrorCode.CORRUPT_AUDIO,
    "crowded.mp4": ErrorCode.CORRUPT_AUDIO,
}


@pytest.mark.parametrize("name", bombs.MAKERS)
def test_bomb_is_refused_before_it_has_cost_much(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    bombs.MAKERS[name](path)
    assert path.stat().st_size < 1_000_000
    done = subprocess.run(
        [
            sys.executable,
            *("-m", "tests.integration.faults_table.preparing"),
            *(str(path), str(LONGEST_SECONDS)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["code"] == EXPECTED[name], told
    assert len(told["message"].split()) > 5
    assert told["message"].endswith(".")
    assert told["seconds"] < LIMIT_SECONDS
    assert told["extra_mib"] < LIMIT_MIB
    assert told["disk_bytes"] < path.stat().st_size + (LONGEST_SECONDS + 60) * PCM_BYTES
