"""/health: the process answers. /ready: what it needs answers too, within short limits."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from fastapi import APIRouter, Response

from contracts import api
from function_app import errors, services

log = structlog.get_logger(__name__)

router = APIRouter(tags=["operations"])

CHECK_LIMIT_SECONDS: Final = 4.0
"""Of each check; they run side by side."""

_NOT_READY: Final = {"description": "Something that is needed does not answer", "model": api.HealthView}


class _Checks:
    """One check of each kind at a time: a server that hangs costs one thread, however often one asks."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Future[None]] = {}

    async def all(self, checks: Mapping[str, Callable[[], None]]) -> dict[str, str]:
        found = await asyncio.gather(*(self._one(name, check) for name, check in checks.items()))
        return dict(zip(checks, found, strict=True))

    async def _one(self, name: str, check: Callable[[], None]) -> str:
        running = self._running.get(name)
        if running is None or running.done():
            running = asyncio.ensure_future(asyncio.to_thread(check))
            running.add_done_callback(_seen)
            self._running[name] = running
        try:
            await asyncio.wait_for(asyncio.shield(running), CHECK_LIMIT_SECONDS)
        except TimeoutError:
            return "timed_out"
        except errors.FunctionAppError as error:
            return str(error.code)
        except Exception:
            log.exception("check_failed", check=name)
            return "internal_error"
        return "ok"


def _seen(check: asyncio.Future[None]) -> None:
    """One that fails after its time is up has nobody to tell."""
    if not check.cancelled():
        check.exception()


# Services are put together by whoever asks first, which may fail and takes a while: inside the check's limit.
def _ping_store() -> None:
    services.current().store.ping()


def _ping_blobs() -> None:
    services.current().blobs.ping()


def _ping_queues() -> None:
    services.current().sender.ping()


_checks = _Checks()


@router.get("/health")
async def health() -> api.HealthView:
    """Whether the process answers; it asks nobody else."""
    return api.HealthView(status="ok")


@router.get("/ready", responses={503: _NOT_READY})
async def ready(response: Response) -> api.HealthView:
    """Whether the app can do its work: the job store, blob storage and the queues answer."""
    found = await _checks.all(
        {
            "store": _ping_store,
            "blobs": _ping_blobs,
            "queues": _ping_queues,
        }
    )
    if all(outcome == "ok" for outcome in found.values()):
        return api.HealthView(status="ok", checks=found)
    response.status_code = 503
    return api.HealthView(status="unavailable", checks=found)
