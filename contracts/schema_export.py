"""JSON Schemas of the wire, for readers in other languages.

`python -m contracts.schema_export` writes them to contracts/schemas/; a test fails when they drift.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from contracts import api, contract, drop_folder, events, messages, results

FOLDER: Final = Path(__file__).parent / "schemas"

PUBLISHED: Final[Mapping[str, type[contract.Contract]]] = MappingProxyType(
    {
        "step-request": messages.StepRequest,
        "step-finished": events.StepFinished,
        "chunk-plan": results.ChunkPlan,
        "language-result": results.LanguageResult,
        "chunk-transcript": results.ChunkTranscript,
        "transcript": results.Transcript,
        "translation": results.Translation,
        "summary": results.Summary,
        "run-manifest": results.RunManifest,
        "job-submission": api.JobSubmission,
        "job": api.JobView,
        "job-results": api.JobResults,
        "problem": api.Problem,
        "drop-folder-manifest": drop_folder.Manifest,
        "drop-folder-receipt": drop_folder.Receipt,
    }
)


def schema_text(model: type[contract.Contract]) -> str:
    """The model's JSON Schema as it is committed."""
    return json.dumps(model.model_json_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write_schemas() -> None:
    """Writes every published schema; the same models give the same files."""
    FOLDER.mkdir(exist_ok=True)
    for name, model in PUBLISHED.items():
        (FOLDER / f"{name}.schema.json").write_text(schema_text(model), encoding="utf-8")


if __name__ == "__main__":
    write_schemas()
