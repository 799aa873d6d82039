"""python -m benchmarks [NAME]: one benchmark, or all of them one after the other.

Each prints a table and, as its last line, one JSON object; all of them end with one object by name.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

from benchmarks import report

NAMES = ("broker", "host", "pipeline", "prepare")
_USAGE = 2


def main(arguments: list[str]) -> int:
    """0; 2 for a name that there is not; an error of a benchmark is raised."""
    unknown = [name for name in arguments if name not in NAMES]
    if unknown or len(arguments) > 1:
        print(f"There is no benchmark {' '.join(arguments)}; there are: {', '.join(NAMES)}.", file=sys.stderr)
        return _USAGE
    report.show_machine()
    if arguments:
        print(json.dumps(run(arguments[0])))
        return 0
    results = {}
    for name in NAMES:
        results[name] = run(name)
        print(json.dumps(results[name]), flush=True)
    print(json.dumps(results))
    return 0


def run(name: str) -> dict[str, Any]:
    """Run one; it prints its table and returns what its last line says."""
    result: dict[str, Any] = importlib.import_module(f"benchmarks.{name}").run()
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
