"""Logs: one JSON object per line on standard output."""

import contextlib
import logging
import sys

import structlog


def configure(*, level: str, worker_id: str) -> None:
    """Named events with ids; of libraries, warnings and worse."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=lambda *_arguments: _SteadyLogger(sys.stdout),
    )
    structlog.contextvars.bind_contextvars(worker_id=worker_id)
    logging.basicConfig(level=logging.WARNING, handlers=[_StructlogHandler()], force=True)
    # The SDK logs every reconnection as a warning, several lines each; the receive loop says it once.
    logging.getLogger("azure").setLevel(logging.ERROR)


class _SteadyLogger(structlog.PrintLogger):
    """The log may lie on the very disk that is full: what cannot be logged is lost and stops nothing."""

    def msg(self, message: str) -> None:
        with contextlib.suppress(OSError):
            super().msg(message)

    debug = info = warning = error = critical = exception = msg


class _StructlogHandler(logging.Handler):
    """A library's log lines as events, so that every line of the log is JSON."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno, "library_log", logger=record.name, message=record.getMessage()
        )
