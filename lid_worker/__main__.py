"""`python -m lid_worker`: takes from `lid-jobs` what is to be prepared or identified."""

import functools
import sys
from collections.abc import Sequence

import structlog

from contracts import queues
from lid_worker import errors, models
from lid_worker.lid import engines
from lid_worker.lid.handler import LidHandler
from lid_worker.prepare.handler import PrepareHandler
from lid_worker.settings import Settings
from worker_kit import logs, run
from worker_kit.handlers import StepHandler

log = structlog.get_logger()


def main() -> int:
    """The process's exit code."""
    settings = Settings()
    logs.configure(level=settings.log_level, worker_id=settings.worker_id)
    find = functools.partial(_handlers, settings)
    try:
        return run.run_worker(settings, queue=queues.Queue.LID_JOBS, find=find)
    except errors.ModelUnavailableError as error:
        log.error("model_unavailable", code=error.code, reason=str(error))
        return 1


def _handlers(settings: Settings) -> Sequence[StepHandler]:
    """Raises ModelUnavailableError."""
    model = models.resolve(
        settings.lid_engine,
        settings.lid_model,
        revision=settings.lid_model_revision or None,
        hub_timeout_seconds=settings.hub_timeout_seconds,
    )
    log.info("model_chosen", engine=model.engine, model=model.model, revision=model.revision)
    for warning in model.warnings:
        log.warning("model_warning", warning=warning)
    engine = engines.create(model, threads=settings.lid_torch_threads)
    return [PrepareHandler(), LidHandler(model, engine)]


if __name__ == "__main__":
    sys.exit(main())
