"""`python -m local_stack.functions_host`: the functions host alone."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog

from local_stack import steady_logs
from local_stack.functions_host import (
    assembly,
    bindings,
    errors,
    host_json,
    listening,
    loader,
    server,
    settings,
    state,
)

log = structlog.get_logger(__name__)

EXIT_FAILED = 1
EXIT_CANNOT_START = 2


def main(words: Sequence[str] | None = None, *, watch: state.CommitWatch | None = None) -> int:
    """Returns 2 when the host cannot start; otherwise the process ends with 0, or 1 when a part failed.

    `words` are the command line's by default. `watch` is for tests: the command line has no way to it.
    """
    arguments = _arguments(words)
    _configure_logs()
    try:
        asyncio.run(_run_and_leave(_server(arguments, watch)))
    except errors.HostError as error:
        print(f"functions_host cannot start: {error} ({error.code})", file=sys.stderr)  # noqa: T201 # for people
    return EXIT_CANNOT_START


async def _run_and_leave(host: server.Server) -> None:
    succeeded = await host.run(lambda: _print_ready(host))
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not by returning: Python would wait for every thread that a function still blocks, perhaps for ever.
    os._exit(0 if succeeded else EXIT_FAILED)


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local_stack.functions_host", description=__doc__)
    parser.add_argument(
        "--port", type=int, help="default 7071, or a free one when that is taken; 0: a free one"
    )
    parser.add_argument("--app", default="function_app", help="the module with the function app")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the folder with host.json")
    return parser.parse_args(words)


def _server(arguments: argparse.Namespace, watch: state.CommitWatch | None) -> server.Server:
    configured = settings.read()
    root = arguments.root.resolve()
    host = host_json.read(root / "host.json", configured.app_settings)
    ignored = host_json.ignored_keys(host)
    if ignored:
        log.warning("host_json_keys_ignored", keys=ignored)
    functions = loader.load(arguments.app, root)
    bindings.check(functions)
    bound, moved = listening.bind(arguments.port)
    if moved:
        log.warning("port_taken", wanted=listening.DEFAULT_PORT, used=listening.base_url(bound))
    inputs = assembly.Inputs(
        functions=functions,
        host=host,
        settings=configured,
        root=root,
        base_url=listening.base_url(bound),
        watch=watch,
    )
    return server.Server(assembly.build(inputs), bound)


def _print_ready(host: server.Server) -> None:
    print(f"functions_host ready on {host.base_url}", flush=True)  # noqa: T201 # the line that others wait for


def _configure_logs() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    # Every request and every frame otherwise.
    for chatty in ("azure", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_arguments: steady_logs.SteadyLogger(sys.stderr),
    )


if __name__ == "__main__":
    sys.exit(main())
