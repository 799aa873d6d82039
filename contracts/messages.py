"""What the function app asks of a worker."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from contracts.blobs import BlobReference, Container
from contracts.contract import SCHEMA_VERSION, Contract, SchemaVersion
from contracts.jobs import Priority
from contracts.params import StepParams
from contracts.steps import Step


class InputName(StrEnum):
    """What an input is to a step."""

    SOURCE = "source"
    """The upload: `prepare` reads it."""
    PLAN = "plan"
    """The chunk plan: `lid` reads it and the chunks it names."""
    CHUNK = "chunk"
    """One chunk's FLAC: `transcribe` reads it."""


class Span(Contract):
    """A stretch of the recording, in seconds from its start."""

    start: Annotated[float, Field(ge=0)]
    end: Annotated[float, Field(ge=0)]


class ChunkAudio(Contract):
    """What `transcribe` needs to know of its chunk."""

    channel: Annotated[int, Field(ge=0)] = 0
    start: Annotated[float, Field(ge=0)]
    """Seconds from the start of the recording to the chunk's first sample."""
    end: Annotated[float, Field(ge=0)]
    speech: tuple[Span, ...]
    """Where voice detection heard speech, in seconds from the start of the recording, in order."""


class ResultTarget(Contract):
    """Where the step's one result goes."""

    key: str
    container: Container = Container.RESULTS
    path: str


class ReplyTo(Contract):
    """Who waits for the step, and under which name."""

    instance_id: str
    event_name: str


class StepRequest(Contract):
    """One attempt of one step, or of one chunk of it. Doing it twice gives one result."""

    schema_version: SchemaVersion = SCHEMA_VERSION
    tenant_id: str
    job_id: str
    run: Annotated[int, Field(ge=1)]
    step: Step
    chunk: Annotated[int, Field(ge=0)] | None = None
    attempt: Annotated[int, Field(ge=1)]
    priority: Priority = Priority.NORMAL
    result: ResultTarget
    inputs: dict[InputName, BlobReference]
    chunk_audio: ChunkAudio | None = None
    """Only with `transcribe`."""
    params: StepParams
    reply_to: ReplyTo
    traceparent: str | None = None
    """W3C trace context of the run."""
    expires_at: datetime
    """Nobody waits for the answer after this."""
