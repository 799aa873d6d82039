"""Results as they are stored, and the facts that events carry of them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import pydantic

from contracts import contract, events, results, steps
from contracts.errors import ErrorCode
from worker_kit import errors

RESULT_OF_STEP: Final[Mapping[steps.Step, type[contract.Contract]]] = MappingProxyType(
    {
        steps.Step.PREPARE: results.ChunkPlan,
        steps.Step.LID: results.LanguageResult,
        steps.Step.TRANSCRIBE: results.ChunkTranscript,
    }
)


def to_bytes(result: contract.Contract) -> bytes:
    """JSON; equal results give equal bytes."""
    return result.model_dump_json().encode()


def from_bytes(step: steps.Step, data: bytes) -> contract.Contract:
    """Raises StepError when what is stored is not a result of the step."""
    try:
        return RESULT_OF_STEP[step].model_validate_json(data)
    except pydantic.ValidationError as error:
        message = f"The stored result of {step} cannot be read: delete it, and run the job again."
        raise errors.StepError(ErrorCode.INTERNAL_ERROR, message, retryable=False) from error


def facts_of(result: contract.Contract) -> events.StepFacts:
    """What the flow needs to know, taken from the result itself."""
    match result:
        case results.ChunkPlan():
            return events.PrepareFacts(
                source_content_hash=result.source.content_hash,
                audio_seconds=result.audio_seconds,
                speech_seconds=result.speech_seconds,
                chunk_count=len(result.chunks),
            )
        case results.LanguageResult():
            return events.LidFacts(language=result.language, confidence=result.confidence)
        case results.ChunkTranscript():
            return events.TranscribeFacts(
                audio_seconds=result.end - result.start,
                segment_count=len(result.segments),
                gap_seconds=sum(gap.end - gap.start for gap in result.gaps),
            )
        case _:
            raise TypeError(f"{type(result).__name__} is no step's result")
