"""What must be gone when all jobs have ended: messages, working blobs, orchestrations that run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import httpx
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobServiceClient

from contracts import blobs
from local_stack.launcher import stack
from tests.faults import checker, histories

LOOK_EVERY_SECONDS: Final = 0.5


def find(running: stack.Stack, storage: BlobServiceClient) -> list[checker.Difference]:
    """Everything that is left over now. Raises httpx.HTTPError and AzureError."""
    work = storage.get_container_client(blobs.Container.WORK)
    return [
        *checker.queues_left(running.counts()["queues"]),
        *checker.instances_left(_instances(running.url)),
        *(
            checker.Difference(subject=name, sentence="is left in the container work.")
            for name in work.list_blob_names()
        ),
    ]


def wait_until_none(
    running: stack.Stack, storage: BlobServiceClient, *, deadline: float
) -> Sequence[checker.Difference]:
    """What is left over at the deadline, of the monotonic clock; empty as soon as nothing is."""
    left: Sequence[checker.Difference] = ()
    while True:
        try:
            left = find(running, storage)
        except (httpx.HTTPError, AzureError) as error:
            left = [checker.Difference(subject="stack", sentence=f"does not answer: {error!r}.")]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(LOOK_EVERY_SECONDS)


def _instances(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        response = httpx.get(
            f"{url}{histories.INSTANCES}",
            params={"top": 500, "showInput": "false"},
            headers={"x-ms-continuation-token": token} if token else {},
            timeout=10,
            trust_env=False,
        ).raise_for_status()
        found += response.json()
        token = response.headers.get("x-ms-continuation-token", "")
        if not token:
            return found
