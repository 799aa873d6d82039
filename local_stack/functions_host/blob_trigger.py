"""Blob triggers: one listing per container and poll, receipts for what is known, five attempts, then aside.

There is no Event Grid on a laptop, so both sources of a blob trigger are polled; functions see no difference.
"""

from __future__ import annotations

import asyncio
import functools
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobProperties, BlobServiceClient
from azure.storage.blob import aio as blob_aio

from local_stack.functions_host import blob_paths, blob_stream, connections, errors, loader, receipts
from local_stack.functions_host.services import Services

log = structlog.get_logger(__name__)

# Listing takes at most a fifth of the time, however many blobs there are.
PAUSE_PER_LISTING_SECOND = 4.0
ERROR_TEXT_LIMIT = 500
RECEIPT_RETRY_SECONDS = 1.0
CONNECT_SECONDS = 5
READ_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class _Watch:
    function: loader.Function
    path: blob_paths.BlobPath


@dataclass(frozen=True, kw_only=True)
class _Account:
    """The clients of one connection: async for listing, sync for functions that read in their thread."""

    listing: blob_aio.BlobServiceClient
    reading: BlobServiceClient


@dataclass(frozen=True, kw_only=True)
class _Arrival:
    key: receipts.Key
    function: loader.Function
    properties: BlobProperties
    account: _Account


def check(function: loader.Function) -> None:
    """Raises InvalidFunctionError for a path that is not a pattern."""
    try:
        blob_paths.parse(str(function.trigger.options["path"]))
    except ValueError as error:
        raise errors.InvalidFunctionError(f"{function.name}: {error}.") from error


class BlobTriggers:
    """Every blob-triggered function of the app."""

    def __init__(
        self, functions: Sequence[loader.Function], services: Services, store: receipts.Receipts
    ) -> None:
        self._services = services
        self._receipts = store
        self._watches: dict[tuple[str, str], list[_Watch]] = {}
        for function in functions:
            path = blob_paths.parse(services.resolve(str(function.trigger.options["path"])))
            connection = str(function.trigger.options["connection"])
            self._watches.setdefault((connection, path.container), []).append(
                _Watch(function=function, path=path)
            )
        self._connections = {
            connection: connections.storage(services.settings, connection) for connection, _ in self._watches
        }
        self._accounts: dict[str, _Account] = {}
        self._arrivals: asyncio.Queue[_Arrival | None] = asyncio.Queue()
        self._in_hand: set[receipts.Key] = set()
        self._pollers: list[asyncio.Task[None]] = []
        self._workers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        for connection, secret in self._connections.items():
            text = secret.get_secret_value()
            self._accounts[connection] = _Account(
                listing=blob_aio.BlobServiceClient.from_connection_string(
                    text, retry_total=0, connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS
                ),
                reading=BlobServiceClient.from_connection_string(
                    text, connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS
                ),
            )
        watch = self._services.supervisor.watch
        self._pollers = [
            watch(self._poll_for_ever(self._accounts[connection], container, watches), f"poll {container}")
            for (connection, container), watches in self._watches.items()
        ]
        parallelism = self._services.host.extensions.blobs.max_degree_of_parallelism
        self._workers = [watch(self._work(), f"blob worker {number}") for number in range(parallelism)]

    async def stop(self) -> None:
        for poller in self._pollers:
            poller.cancel()
        await asyncio.gather(*self._pollers, return_exceptions=True)
        while not self._arrivals.empty():
            self._arrivals.get_nowait()
        for _ in self._workers:
            self._arrivals.put_nowait(None)
        await asyncio.gather(*self._workers, return_exceptions=True)
        for account in self._accounts.values():
            await account.listing.close()
            account.reading.close()
        self._pollers, self._workers, self._accounts = [], [], {}

    async def _poll_for_ever(self, account: _Account, container: str, watches: Sequence[_Watch]) -> None:
        reported: str | None = None
        while True:
            began = time.monotonic()
            problem = await self._poll(account, container, watches)
            if problem is not None and problem != reported:
                log.warning("blob_container_not_listed", container=container, problem=problem)
            reported = problem
            listing_seconds = time.monotonic() - began
            pause = max(self._services.settings.blob_poll_seconds, listing_seconds * PAUSE_PER_LISTING_SECOND)
            await asyncio.sleep(pause)

    async def _poll(self, account: _Account, container: str, watches: Sequence[_Watch]) -> str | None:
        """One listing; the problem in words when there was one."""
        listed: set[tuple[str, str]] = set()
        client = account.listing.get_container_client(container)
        prefix = _common_prefix(watch.path.prefix for watch in watches)
        try:
            async for properties in client.list_blobs(name_starts_with=prefix or None, include=["metadata"]):
                listed.add((properties.name, properties.etag))
                self._offer(account, watches, properties)
        except ResourceNotFoundError:
            return "the container does not exist"
        except Exception as error:  # noqa: BLE001 # an answer that is no listing ends in the SDK's own TypeErrors
            return _words(error)
        functions = {watch.function.name for watch in watches}
        try:
            self._receipts.forget_absent(functions, listed, self._in_hand)
        except sqlite3.Error as error:
            return _words(error)
        return None

    def _offer(self, account: _Account, watches: Sequence[_Watch], properties: BlobProperties) -> None:
        for watch in watches:
            if watch.path.match(properties.name) is None:
                continue
            key = receipts.Key(
                function=watch.function.name,
                container=properties.container,
                blob=properties.name,
                etag=properties.etag,
            )
            if key not in self._in_hand and self._receipts.is_due(key):
                self._in_hand.add(key)
                self._arrivals.put_nowait(
                    _Arrival(key=key, function=watch.function, properties=properties, account=account)
                )

    async def _work(self) -> None:
        while (arrival := await self._arrivals.get()) is not None:
            await self._attempt(arrival)
            self._in_hand.discard(arrival.key)

    async def _attempt(self, arrival: _Arrival) -> None:
        key = arrival.key
        threshold = self._services.host.extensions.blobs.poison_blob_threshold
        if self._receipts.attempts(key) >= threshold:
            # Only the process's own death leaves so many attempts without a verdict.
            verdict = functools.partial(self._put_aside, key, "the host ended during the last attempt")
            await self._store(key, verdict)
            return
        await self._store(key, functools.partial(self._receipts.begin, key))
        client = arrival.account.reading.get_blob_client(key.container, key.blob)
        try:
            await self._services.invoker.invoke(
                arrival.function, blob_stream.bind(arrival.properties, client)
            )
        except Exception as error:  # noqa: BLE001 # the app's code may raise anything; the invoker has logged it
            verdict = functools.partial(self._failed, key, _words(error), threshold)
        else:
            verdict = functools.partial(self._receipts.finish, key)
        await self._store(key, verdict)

    async def _store(self, key: receipts.Key, write: Callable[[], object]) -> None:
        """Until it is stored: on a full disk the blob waits, and its function is not called anew for that."""
        while True:
            try:
                write()
            except sqlite3.Error as error:
                log.error("blob_receipt_not_stored", **_ids(key), problem=_words(error))
                await asyncio.sleep(RECEIPT_RETRY_SECONDS)
            else:
                return

    def _failed(self, key: receipts.Key, error: str, threshold: int) -> None:
        attempts = self._receipts.attempts(key)
        if attempts >= threshold:
            self._put_aside(key, error)
            return
        delay = self._services.settings.blob_retry_seconds * 2 ** (attempts - 1)
        self._receipts.retry_after(key, delay_seconds=delay, error=error)

    def _put_aside(self, key: receipts.Key, error: str) -> None:
        self._receipts.put_aside(key, error=error)
        attempts = self._receipts.attempts(key)
        log.error("blob_put_aside", **_ids(key), attempts=attempts, error=error)


def _ids(key: receipts.Key) -> dict[str, str]:
    return {"function": key.function, "container": key.container, "blob": key.blob, "etag": key.etag}


def _words(error: Exception) -> str:
    """An exception in one text that can be stored: half a surrogate pair has no UTF-8."""
    text = f"{type(error).__name__}: {error}"[:ERROR_TEXT_LIMIT]
    return text.encode("utf-8", "backslashreplace").decode()


def _common_prefix(prefixes: Iterable[str]) -> str:
    first, *others = prefixes
    for other in others:
        while not other.startswith(first):
            first = first[:-1]
    return first
