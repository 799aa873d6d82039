"""`python -m gpu_worker`: takes chunks from `whisper-jobs` and transcribes them until it is told to stop."""

import functools
import sys
from collections.abc import Sequence

import structlog

from contracts import queues
from gpu_worker import engines, errors, models
from gpu_worker.handler import TranscribeHandler
from gpu_worker.settings import Settings
from worker_kit import logs, run
from worker_kit.handlers import StepHandler

log = structlog.get_logger()


def main() -> int:
    """The process's exit code."""
    settings = Settings()
    logs.configure(level=settings.log_level, worker_id=settings.worker_id)
    find = functools.partial(_handlers, settings)
    try:
        return run.run_worker(settings, queue=queues.Queue.WHISPER_JOBS, find=find)
    except errors.ModelError as error:
        log.error("model_unavailable", code=error.code, reason=str(error))
        return 1


def _handlers(settings: Settings) -> Sequence[StepHandler]:
    """Raises ModelError."""
    model = _resolve(settings)
    _announce(model)
    hardware = engines.Hardware(
        device=settings.whisper_device,
        compute_type=settings.whisper_compute_type,
        cpu_threads=settings.whisper_cpu_threads,
        batch_windows=settings.whisper_batch_windows,
    )
    return [TranscribeHandler(engines.create(model, hardware))]


def _resolve(settings: Settings) -> models.ResolvedModel:
    has_gpu = None if settings.whisper_device == "auto" else settings.whisper_device == "cuda"
    return models.resolve(
        settings.whisper_model,
        revision=settings.whisper_model_revision or None,
        has_gpu=has_gpu,
        hub_timeout_seconds=settings.hub_timeout_seconds,
    )


def _announce(model: models.ResolvedModel) -> None:
    log.info("model_chosen", engine=model.engine, model=model.model, revision=model.revision)
    for warning in model.warnings:
        log.warning("model_is_rough", warning=warning)


if __name__ == "__main__":
    sys.exit(main())
