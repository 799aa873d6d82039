"""The state folder: who has it, what runs from it, and what was generated for it."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import secrets
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pydantic

from local_stack import azurite
from local_stack.launcher import description, errors

ACCOUNT_NAME: Final = "speechflow"
LEFTOVER_LIMIT_SECONDS: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class StateFolder:
    """`.speechflow/`, or wherever a test wants it."""

    root: Path

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def stack_file(self) -> Path:
        return self.root / "stack.json"

    @property
    def credentials_file(self) -> Path:
        return self.root / "credentials.json"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """This process has the folder until the end of the body or its own. Raises AlreadyRunningError."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.root / "launcher.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise errors.AlreadyRunningError(self._what_runs()) from error
            self._end_leftovers()
            try:
                yield
            finally:
                self.stack_file.unlink(missing_ok=True)

    def read(self) -> description.Description | None:
        """What runs, or ran until its launcher was killed; None when nothing says so."""
        try:
            return description.Description.model_validate_json(self.stack_file.read_bytes())
        except (OSError, pydantic.ValidationError):
            return None

    def write(self, stack: description.Description) -> None:
        _write(self.stack_file, stack.model_dump_json(indent=2), mode=0o644)

    def write_credentials(self, environment: Mapping[str, str]) -> None:
        """Connection strings by the names of the settings that want them; for the owner's eyes only."""
        _write(self.credentials_file, json.dumps(dict(environment), indent=2), mode=0o600)

    def account(self) -> azurite.Account:
        """The storage account of this folder's blobs; its key is generated once."""
        path = self.root / "storage-key"
        if not path.exists():
            _write(path, base64.b64encode(secrets.token_bytes(64)).decode(), mode=0o600)
        return azurite.Account(name=ACCOUNT_NAME, key=path.read_text().strip())

    def _what_runs(self) -> str:
        stack = self.read()
        if stack is None:
            return f"Another launcher is starting or stopping the stack of {self.root}."
        processes = ", ".join(f"{name} {view.pid}" for name, view in stack.processes.items())
        return (
            f"Speech Flow runs already: {stack.url} (launcher pid {stack.pid}, since "
            f"{stack.started_at.astimezone():%Y-%m-%d %H:%M:%S}).\n"
            f"Documentation: {stack.url}/docs · queues: {stack.counts_url} · processes: {processes}\n"
            f"Stop it with Ctrl-C in its terminal or with `kill {stack.pid}`."
        )

    def _end_leftovers(self) -> None:
        """Wait for the processes of a killed launcher, which end with it, and kill what does not."""
        stack = self.read()
        if stack is None:
            return
        deadline = time.monotonic() + LEFTOVER_LIMIT_SECONDS
        for view in stack.processes.values():
            while _still_runs(view) and time.monotonic() < deadline:
                time.sleep(0.05)
            if _still_runs(view) and view.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(view.pid, signal.SIGKILL)


def _still_runs(view: description.ProcessView) -> bool:
    return view.pid is not None and view.born is not None and description.birth(view.pid) == view.born


def _write(path: Path, content: str, *, mode: int) -> None:
    """Whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(content)
    fresh.replace(path)
