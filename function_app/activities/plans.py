"""Chunk plans, read once per process: they never change, and every chunk's request is made from one."""

import threading
from collections import OrderedDict
from typing import Final

from contracts import blobs, results
from function_app import blobs as blob_stores

PLANS_KEPT: Final = 8


class _Kept:
    """The latest plans: a day's is a few megabytes, and reading it for every chunk would be most of the work.

    Only references with an ETag and a content hash are kept: they name one version for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plans: OrderedDict[blobs.BlobReference, results.ChunkPlan] = OrderedDict()

    def get(self, reference: blobs.BlobReference) -> results.ChunkPlan | None:
        with self._lock:
            if reference in self._plans:
                self._plans.move_to_end(reference)
            return self._plans.get(reference)

    def put(self, reference: blobs.BlobReference, plan: results.ChunkPlan) -> None:
        if reference.etag is None or reference.content_hash is None:
            return
        with self._lock:
            self._plans[reference] = plan
            while len(self._plans) > PLANS_KEPT:
                self._plans.popitem(last=False)


_kept = _Kept()


def read(store: blob_stores.BlobStore, reference: blobs.BlobReference) -> results.ChunkPlan:
    """Raises BlobMissingError, BlobChangedError, BlobsUnavailableError."""
    plan = _kept.get(reference)
    if plan is None:
        plan = results.ChunkPlan.model_validate_json(store.read(reference))
        _kept.put(reference, plan)
    return plan
