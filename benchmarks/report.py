"""What every benchmark prints: where it ran, a table, and one line of JSON."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

import rich.console
import rich.table

ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("azure-servicebus", "azure-functions", "azure-functions-durable", "av", "onnxruntime")


def machine() -> dict[str, str]:
    """The machine and its load now: no number means anything without them."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "load (1, 5, 15 minutes)": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES),
        "commit": _commit(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def _commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=10"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table = rich.table.Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name)
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    rich.console.Console(width=110).print(table)


def show_machine() -> None:
    facts: Mapping[str, str] = machine()
    show("Machine", ("what", "value"), list(facts.items()))


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return str(cell)
