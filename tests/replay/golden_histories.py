"""Histories of released versions of the orchestrators.

    python -m tests.replay.golden_histories

writes those of VERSION anew. Do so only before that version is released: afterwards its files are what
instances in flight look like, and the code must go on replaying them (docs/decisions/0014).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from contracts import errors, jobs
from local_stack.functions_host.durable import history
from tests.replay import task_hub
from tests.replay import world as worlds

VERSION: Final = "1.0"
FOLDER: Final = Path(__file__).parent / "golden"


def scenarios() -> Iterator[tuple[str, worlds.World, dict[str, Any]]]:
    """Runs that between them take every way through the orchestrators."""
    yield "transcribe_only", worlds.World(chunk_count=2), worlds.run_input()
    yield (
        "full_pipeline",
        worlds.World(
            chunk_count=3,
            language_answers={
                "translate": [
                    worlds.failure(errors.ErrorCode.LANGUAGE_MODEL_RATE_LIMITED, "Quota.")
                    | {"retry_after_seconds": 30.0},
                    {"status": "unfinished"},
                ],
                "summarize": [worlds.failure(errors.ErrorCode.LANGUAGE_MODEL_UNAVAILABLE, "Away.")],
            },
        ),
        worlds.run_input(jobs.Workflow.FULL_PIPELINE, source_language=None),
    )
    yield (
        "retries",
        worlds.World(
            chunk_count=2,
            script={"transcribe.1.1": worlds.failure(), "transcribe.0.1": worlds.failure()},
            delivery={"prepare.0.1": worlds.Delivery.NEVER, "transcribe.0.2": worlds.Delivery.EARLY},
        ),
        worlds.run_input(lanes=1),
    )
    yield (
        "reused_and_reconciled",
        worlds.World(
            chunk_count=2,
            reused={"transcribe.0.1"},
            delivery={"prepare.0.1": worlds.Delivery.NEVER},
            found_by_reconciliation={"prepare.0.1"},
        ),
        worlds.run_input(),
    )
    yield (
        "failed_chunk",
        worlds.World(script={"transcribe.1.1": worlds.failure(errors.ErrorCode.CORRUPT_AUDIO, "Broken.")}),
        worlds.run_input(),
    )
    yield (
        "not_audio",
        worlds.World(script={"prepare.0.1": worlds.failure(errors.ErrorCode.NOT_AUDIO, "Text.")}),
        worlds.run_input(jobs.Workflow.FULL_PIPELINE),
    )
    yield "cancelled", worlds.World(cancelled_at="transcribe.1.1"), worlds.run_input()
    yield "store_away", worlds.World(broken={"merge_transcript"}), worlds.run_input()
    yield "silence", worlds.World(chunk_count=0), worlds.run_input(jobs.Workflow.FULL_PIPELINE)
    yield "lid_only", worlds.World(), worlds.run_input(jobs.Workflow.LID_ONLY, source_language=None)
    yield "translate_only", worlds.World(), worlds.run_input(jobs.Workflow.TRANSLATE_ONLY)
    yield "summarize_only", worlds.World(), worlds.run_input(jobs.Workflow.SUMMARIZE_ONLY)
    yield (
        "transcript_gone",
        worlds.World(transcript_failure=worlds.failure(errors.ErrorCode.SOURCE_MISSING, "It is gone.")),
        worlds.run_input(jobs.Workflow.TRANSLATE_ONLY),
    )
    yield (
        "without_language_model",
        worlds.World(),
        worlds.run_input(jobs.Workflow.TRANSLATE_ONLY, translates=False),
    )


def as_json(instance: task_hub.Instance) -> dict[str, Any]:
    """An instance with all its events."""
    execution = instance.execution
    return {
        "name": execution.name,
        "instance_id": execution.instance_id,
        "version": execution.version,
        "status": instance.status,
        "output": instance.output,
        "events": [json.loads(history.dumps(event)) for event in instance.past],
    }


def write() -> None:
    """Every scenario's instances, one file per scenario."""
    folder = FOLDER / VERSION
    folder.mkdir(parents=True, exist_ok=True)
    for name, world, given in scenarios():
        world.run(given)
        instances = [as_json(instance) for instance in world.hub.instances.values()]
        text = json.dumps(instances, indent=None, separators=(",", ":"), ensure_ascii=False)
        (folder / f"{name}.json").write_text(text.replace("],[", "],\n[") + "\n", encoding="utf-8")


if __name__ == "__main__":
    # The SDK warns of every event that comes before its wait; some of them do.
    warnings.filterwarnings("ignore", "Potential duplicate Task completion")
    write()
