"""Results of steps: whether one lies there already, and the outcome that it stands for."""

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from contracts import blobs, events, messages, results, steps
from function_app import blobs as blob_stores
from function_app import errors


def completed(store: blob_stores.BlobStore, request: messages.StepRequest) -> events.Completed | None:
    """The outcome that the worker would have sent; None when there is no result."""
    reference = blobs.BlobReference(container=request.result.container, path=request.result.path)
    facts = store.facts(reference.container, reference.path)
    if facts is None:
        return None
    try:
        data = store.read(facts.reference)
    except errors.BlobMissingError:
        return None
    return events.Completed(
        result=reference.model_copy(
            update={
                "etag": facts.reference.etag,
                "content_hash": content_hash(data),
                "size_bytes": len(data),
            }
        ),
        facts=_FACTS[request.step](data),
        reused=True,
    )


def content_hash(data: bytes) -> str:
    """As BlobReference has it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _prepare_facts(data: bytes) -> events.StepFacts:
    plan = results.ChunkPlan.model_validate_json(data)
    return events.PrepareFacts(
        source_content_hash=plan.source.content_hash,
        audio_seconds=plan.audio_seconds,
        speech_seconds=plan.speech_seconds,
        chunk_count=len(plan.chunks),
    )


def _lid_facts(data: bytes) -> events.StepFacts:
    found = results.LanguageResult.model_validate_json(data)
    return events.LidFacts(language=found.language, confidence=found.confidence)


def _transcribe_facts(data: bytes) -> events.StepFacts:
    chunk = results.ChunkTranscript.model_validate_json(data)
    return events.TranscribeFacts(
        audio_seconds=chunk.end - chunk.start,
        segment_count=len(chunk.segments),
        gap_seconds=sum(gap.end - gap.start for gap in chunk.gaps),
    )


_FACTS: Final[Mapping[steps.Step, Callable[[bytes], events.StepFacts]]] = MappingProxyType(
    {
        steps.Step.PREPARE: _prepare_facts,
        steps.Step.LID: _lid_facts,
        steps.Step.TRANSCRIBE: _transcribe_facts,
    }
)
"""Steps whose results workers write."""
