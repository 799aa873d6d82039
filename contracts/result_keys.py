"""Result keys: a hash of all that a result is made from, so that equal work is found instead of done."""

import hashlib
import json
from collections.abc import Sequence

from contracts.messages import ChunkAudio
from contracts.params import StepParams


def result_key(*, inputs: Sequence[str], params: StepParams, chunk_audio: ChunkAudio | None = None) -> str:
    """SHA-256, in hex, over canonical JSON of the inputs' content hashes, the params and the chunk's place.

    `inputs` are content hashes in a fixed order; for an upload that nobody has read yet, its ETag.
    The chunk's place is part of the key because the result's times count from the start of the recording.
    """
    ingredients = {
        "inputs": list(inputs),
        "params": params.model_dump(mode="json"),
        "chunk_audio": chunk_audio.model_dump(mode="json") if chunk_audio else None,
    }
    canonical = json.dumps(ingredients, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
