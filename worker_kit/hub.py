"""The Hugging Face hub and its cache: each question is answered, or refused within a time limit."""

import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import structlog

from contracts.errors import ErrorCode
from worker_kit import errors

log = structlog.get_logger()

_REPOSITORY_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")

Answer = TypeVar("Answer")


class HubError(errors.WorkerError):
    """The hub does not answer, or does not have the model."""

    code = ErrorCode.MODEL_UNAVAILABLE
    retryable = True


class NotInHubError(HubError):
    """The hub answers, and does not have the model."""

    retryable = False


def is_repository_id(name: str) -> bool:
    """True for `owner/name`."""
    return _REPOSITORY_ID.fullmatch(name) is not None


def cached(
    repository: str, revision: str | None, *, needed: Sequence[str], cache: Path | None = None
) -> Path | None:
    """The snapshot's folder, named by its commit, when the cache has it with all `needed` files."""
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        found = huggingface_hub.snapshot_download(
            repository, revision=revision, cache_dir=cache, local_files_only=True
        )
    except LocalEntryNotFoundError:
        return None
    folder = Path(str(found))
    return folder if all((folder / name).is_file() for name in needed) else None


def commit_of(repository: str, revision: str | None, *, timeout_seconds: float) -> str:
    """The commit that the revision, or the newest state, is. Raises HubError, NotInHubError of it."""
    import huggingface_hub

    def ask() -> str:
        found = huggingface_hub.HfApi().model_info(repository, revision=revision, timeout=timeout_seconds)
        return str(found.sha)

    return _asked(repository, lambda: _within(timeout_seconds, ask))


def download(repository: str, revision: str, *, patterns: Sequence[str], cache: Path | None = None) -> Path:
    """Fetches a snapshot's files into the cache, resuming what was begun. Raises as `commit_of`."""
    import huggingface_hub

    log.info("model_download_started", repository=repository, revision=revision)

    def fetch() -> Path:
        folder = huggingface_hub.snapshot_download(
            repository, revision=revision, cache_dir=cache, allow_patterns=list(patterns)
        )
        return Path(str(folder))

    return _asked(repository, fetch)


def _asked(repository: str, question: Callable[[], Answer]) -> Answer:
    import httpx2  # huggingface_hub 2 speaks HTTP with it, and lets its errors through
    from huggingface_hub import errors as hub_errors

    try:
        return question()
    except (hub_errors.RepositoryNotFoundError, hub_errors.RevisionNotFoundError) as error:
        raise NotInHubError(f"The hub has no model {repository} in that revision.") from error
    except (OSError, httpx2.HTTPError, hub_errors.HfHubHTTPError) as error:
        raise HubError(
            f"The model {repository} is not in the cache, and the hub cannot be reached."
        ) from error


def _within(seconds: float, question: Callable[[], Answer]) -> Answer:
    """The answer, or TimeoutError: a name server that does not answer obeys no HTTP time limit."""
    answers: list[Answer] = []
    failures: list[Exception] = []

    def ask() -> None:
        try:
            answers.append(question())
        except Exception as error:  # noqa: BLE001 - raised again below, in the thread that asked
            failures.append(error)

    thread = threading.Thread(target=ask, name="hub", daemon=True)
    thread.start()
    thread.join(seconds)
    if failures:
        raise failures[0]
    if not answers:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return answers[0]
