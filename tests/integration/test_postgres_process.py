"""The database server that the laptop and the other integration tests stand on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from local_stack import postgres

HOLDER = """
import sys, time
from pathlib import Path
from local_stack import postgres
server = postgres.start(Path(sys.argv[1]))
print(server.process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.PostgresProcess]:
    with postgres.running_postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


def test_committed_rows_survive_sigkill_and_restart_at_the_same_port(
    server: postgres.PostgresProcess,
) -> None:
    url = server.create_database("killed")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE things (name text)")
        connection.execute("INSERT INTO things VALUES ('kept')")
    server.kill()
    with (
        postgres.running_postgres(server.directory, server.port) as again,
        psycopg.connect(url) as connection,
    ):
        assert again.port == server.port
        assert connection.execute("SELECT name FROM things").fetchall() == [("kept",)]


def test_half_made_cluster_of_a_killed_initdb_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "data.new" / "base").mkdir(parents=True)
    (tmp_path / "data.new" / "PG_VERSION").write_text("18\n")
    with postgres.running_postgres(tmp_path) as server:
        assert server.create_database("jobs") == server.create_database("jobs")
    assert not (tmp_path / "data.new").exists()


def test_second_server_on_the_same_data_is_refused_with_its_reason(tmp_path: Path) -> None:
    with (
        postgres.running_postgres(tmp_path),
        pytest.raises(postgres.PostgresStartError, match=r"lock file .* exists"),
        postgres.running_postgres(tmp_path),
    ):
        pytest.fail("two servers on one folder")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_server_ends_with_a_killed_launcher(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        holder.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while _runs(pid):
        assert time.monotonic() < deadline, "the server outlived its launcher"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        # A zombie has ended; whoever inherited it has not reaped it yet.
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
