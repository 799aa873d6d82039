"""python -m local_stack.broker --config FILE --port N [--counts-port N] [--state DIR]"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path
from typing import Annotated

import pydantic
import structlog
import typer

from local_stack import steady_logs
from local_stack.broker import configuration, counts, errors, namespace, server, settings, store

log = structlog.get_logger()

_EXIT_USAGE = 2
_EXIT_IN_USE = 1


def configure_logging() -> None:
    """Events as JSON lines on stderr; stdout carries the ready line alone, so that nobody has to drain it."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_arguments: steady_logs.SteadyLogger(sys.stderr),
        cache_logger_on_first_use=True,
    )


def announce(event: str, **fields: object) -> None:
    structlog.wrap_logger(
        structlog.PrintLogger(sys.stdout),
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
    ).info(event, **fields)


async def serve(configured: list[configuration.Queue], chosen: settings.Settings, state: store.Store) -> None:
    """Run until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    space = namespace.Namespace(
        configured,
        state,
        max_queue_bytes=chosen.max_queue_bytes,
        body_memory_bytes=chosen.body_memory_bytes,
        store_pause_seconds=chosen.store_pause_seconds,
    )
    broker = server.Server(space, chosen)
    port = await broker.start()
    http = counts.CountsServer(space, host=chosen.host, port=_counts_port(chosen, port))
    try:
        counts_port = await http.start()
        announce("broker_ready", port=port, counts_port=counts_port, queues=sorted(space.counts()))
        await stopped.wait()
        log.info("broker_stopping")
    finally:
        await http.stop()
        await broker.stop()


def _counts_port(chosen: settings.Settings, port: int) -> int:
    if chosen.counts_port is not None:
        return chosen.counts_port
    return port + 1 if chosen.port else 0


def run(config: Path, chosen: settings.Settings, *, watch: store.CommitWatch | None = None) -> None:
    """Serve until a signal. `watch` is for tests: the command line has no way to it."""
    configured = configuration.read(config)
    directory = store.StateDirectory(chosen.state_directory)
    path = directory.acquire()
    try:
        with contextlib.closing(store.Store(path, max_bytes=chosen.max_state_bytes, watch=watch)) as state:
            asyncio.run(serve(configured, chosen, state))
    finally:
        directory.release()


def _choose(**given: object) -> settings.Settings:
    """The environment's settings under those of the command line; raise ConfigurationError."""
    try:
        environment = settings.Settings().model_dump()
        return settings.Settings.model_validate(
            {**environment, **{key: value for key, value in given.items() if value is not None}}
        )
    except pydantic.ValidationError as failure:
        problem = failure.errors()[0]
        name = ".".join(str(part) for part in problem["loc"])
        raise errors.ConfigurationError(f"Setting {name} is not usable: {problem['msg']}.") from failure


def main(
    config: Annotated[
        Path, typer.Option(help="Queues, in the shape of the Service Bus emulator's Config.json.")
    ],
    port: Annotated[int | None, typer.Option(help="AMQP port; 0 takes a free one.")] = None,
    counts_port: Annotated[
        int | None, typer.Option(help="Port of GET /counts; the AMQP port plus one if absent.")
    ] = None,
    state: Annotated[Path | None, typer.Option(help="Where messages are kept.")] = None,
) -> None:
    """Run the local Service Bus broker until SIGTERM or Ctrl-C."""
    configure_logging()
    try:
        run(config, _choose(port=port, counts_port=counts_port, state_directory=state))
    except errors.StateInUseError as failure:
        typer.echo(str(failure), err=True)
        raise typer.Exit(_EXIT_IN_USE) from failure
    except errors.ConfigurationError as failure:
        typer.echo(str(failure), err=True)
        raise typer.Exit(_EXIT_USAGE) from failure


if __name__ == "__main__":
    typer.run(main)
