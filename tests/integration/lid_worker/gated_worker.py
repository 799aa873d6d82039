"""`python -m tests.integration.lid_worker.gated_worker`: the worker, with a gate at the end of prepare.

A recording is prepared as ever, its chunks are stored, and only then does the work wait: for the file that
GATE names. So a test that looks at work in hand finds it in hand, however fast the machine is.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from unittest import mock

import structlog

from contracts import messages
from lid_worker import __main__ as worker
from lid_worker.prepare.handler import PrepareHandler
from worker_kit.context import StepContext
from worker_kit.handlers import HandlerResult

log = structlog.get_logger()

GATE = "GATE"
_prepare = PrepareHandler.handle


def _prepare_and_wait(
    handler: PrepareHandler, request: messages.StepRequest, context: StepContext
) -> HandlerResult:
    answer = _prepare(handler, request, context)
    log.info("at_the_gate")
    while not Path(os.environ[GATE]).exists():
        context.raise_if_cancelled()
        time.sleep(0.02)
    return answer


if __name__ == "__main__":
    with mock.patch.object(PrepareHandler, "handle", _prepare_and_wait):
        sys.exit(worker.main())
