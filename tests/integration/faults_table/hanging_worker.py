"""The worker, with an engine that hangs over the job `HANGING`, and with little patience; run as a module."""

from __future__ import annotations

import sys
import threading
from unittest import mock

from contracts import messages
from lid_worker import __main__ as worker
from lid_worker.prepare.handler import PrepareHandler
from worker_kit import attempts, clocks
from worker_kit.context import StepContext
from worker_kit.handlers import HandlerResult

HANGING = "hanging"
PATIENCE_SECONDS = 0.5
_prepare = PrepareHandler.handle


def _hang(handler: PrepareHandler, request: messages.StepRequest, context: StepContext) -> HandlerResult:
    if request.job_id == HANGING:
        threading.Event().wait()
    return _prepare(handler, request, context)


def _seconds_left(request: messages.StepRequest, *_: object) -> float:
    return PATIENCE_SECONDS if request.job_id == HANGING else 60.0


if __name__ == "__main__":
    with (
        mock.patch.object(PrepareHandler, "handle", _hang),
        mock.patch.object(clocks, "seconds_left", _seconds_left),
        mock.patch.object(attempts, "SPARE_SECONDS", PATIENCE_SECONDS),
    ):
        sys.exit(worker.main())
