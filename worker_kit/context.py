"""What a handler has at hand while it works on one request."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from contracts import blobs, messages
from worker_kit import errors
from worker_kit.blobs import BlobStore

log = structlog.get_logger()

CANCEL_CHECK_SECONDS: Final = 1.0
"""How often, at most, storage is asked for the run's cancel marker."""


class StepContext:
    """One attempt's surroundings. Safe to use from several threads."""

    def __init__(
        self,
        *,
        request: messages.StepRequest,
        blob_store: BlobStore,
        workspace: Path,
        cancel_check_seconds: float = CANCEL_CHECK_SECONDS,
        on_progress: Callable[[float], None] | None = None,
        abandoned: threading.Event | None = None,
    ) -> None:
        self.blobs = blob_store
        self.workspace = workspace
        """An empty folder on the local disk; removed when the attempt ends."""
        self._marker_path = blobs.cancel_marker_path(
            tenant_id=request.tenant_id, job_id=request.job_id, run=request.run
        )
        self._cancel_check_seconds = cancel_check_seconds
        self._on_progress = on_progress
        self._abandoned = abandoned or threading.Event()
        self._cancelled = False
        self._next_check = 0.0
        self._check_lock = threading.Lock()

    def cancelled(self) -> bool:
        """True once the run's cancel marker was seen. Cheap: storage is asked about once a second."""
        with self._check_lock:
            now = time.monotonic()
            if self._cancelled or now < self._next_check:
                return self._cancelled
            self._cancelled = self._marker_exists()
            # Counted from the answer: a slow storage is not asked without pause.
            self._next_check = time.monotonic() + self._cancel_check_seconds
            return self._cancelled

    def raise_if_cancelled(self) -> None:
        """Raises StepCancelledError, or WorkAbandonedError when the worker gives the work up.

        Handlers call it between pieces of work, at least every second or so; both errors pass through them.
        """
        if self._abandoned.is_set():
            raise errors.WorkAbandonedError
        if self.cancelled():
            raise errors.StepCancelledError

    def progress(self, audio_seconds: float) -> None:
        """Says how much of the recording, in seconds from its start, is done. For metrics and logs only."""
        if self._on_progress is not None:
            self._on_progress(audio_seconds)

    def _marker_exists(self) -> bool:
        try:
            return self.blobs.find(blobs.Container.WORK, self._marker_path) is not None
        except errors.BlobsUnavailableError:
            # Not knowing is no reason to throw work away: the next check asks again.
            log.warning("cancel_marker_unknown", path=self._marker_path)
            return False
