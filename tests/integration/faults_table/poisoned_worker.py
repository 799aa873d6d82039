"""The worker, which a recording of the job POISON kills as a fault of native code would; run as a module."""

from __future__ import annotations

import os
import signal
import sys
from unittest import mock

from contracts import messages
from lid_worker import __main__ as worker
from lid_worker.prepare.handler import PrepareHandler
from worker_kit.context import StepContext
from worker_kit.handlers import HandlerResult

POISON = "poison"
_prepare = PrepareHandler.handle


def _prepare_or_die(
    handler: PrepareHandler, request: messages.StepRequest, context: StepContext
) -> HandlerResult:
    answer = _prepare(handler, request, context)
    if request.job_id == POISON:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer


if __name__ == "__main__":
    with mock.patch.object(PrepareHandler, "handle", _prepare_or_die):
        sys.exit(worker.main())
