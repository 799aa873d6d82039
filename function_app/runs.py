"""Runs: what one is told when it starts, how it is started, and whether its instance is alive."""

from enum import StrEnum
from typing import Any, Final, Protocol

import structlog
from azure.durable_functions import OrchestrationRuntimeStatus

from contracts import identity, params, queues
from function_app import errors, run_inputs, settings
from function_app.language_model import prompts
from function_app.store import job_store

log = structlog.get_logger(__name__)

EXTRACTIVE_MODEL: Final = "lexrank"

LONGEST_WAIT_SECONDS: Final = 5 * 24 * 3600.0
"""Timers of six days and more are another kind in Durable's SDK, whose cancelling is not reliable."""


class InstanceState(StrEnum):
    """What Durable knows of an instance."""

    MISSING = "missing"
    ALIVE = "alive"
    """Pending, running or suspended."""
    FINISHED = "finished"
    """Completed, failed or terminated."""


class RunClient(Protocol):
    """What starting a run needs of DurableOrchestrationClient."""

    async def get_status(self, instance_id: str) -> Any:
        """What Durable knows of the instance; an empty value when there is none."""

    async def start_new(self, orchestration_function_name: str, instance_id: str, client_input: Any) -> Any:
        """Starts the instance; an existing one that is over is silently replaced."""


def run_input(
    job: job_store.Job, read: settings.Settings, *, traceparent: str | None = None
) -> run_inputs.RunInput:
    """Everything that the run depends on, fixed at its start. The job must have its source pinned."""
    if job.source is None:
        raise errors.FunctionAppError(f"Job {job.job_id} has no pinned source: it cannot be started.")
    return run_inputs.RunInput(
        job_id=job.job_id,
        run=job.run,
        tenant_id=job.tenant_id,
        workflow=job.workflow,
        priority=job.priority,
        source=job.source,
        source_language=job.source_language,
        target_language=job.target_language,
        glossary=job.glossary,
        limits=_limits(read),
        prepare=params.PrepareParams(
            longest_chunk_seconds=read.longest_chunk_seconds,
            longest_recording_seconds=read.longest_recording_seconds,
            largest_source_bytes=read.largest_source_bytes,
        ),
        lid=params.LidParams(engine=read.lid_engine, model=read.lid_model, revision=read.lid_model_revision),
        transcribe=params.TranscribeParams(
            engine=read.whisper_engine,
            model=read.whisper_model,
            revision=read.whisper_model_revision,
            beam_size=read.beam_size,
        ),
        translate=_model(read, read.language_model_translate),
        summarize=_model(read, read.language_model_summarize) or _extractive(),
        traceparent=traceparent,
    )


def _limits(read: settings.Settings) -> run_inputs.Limits:
    return run_inputs.Limits(
        lanes=read.lanes,
        attempts=read.max_retries,
        retry_first_delay_seconds=read.retry_first_delay_seconds,
        timeout_seconds={
            step: min(read.step_timeout_seconds(step), LONGEST_WAIT_SECONDS) for step in queues.QUEUE_OF_STEP
        },
        wait_margin_seconds=read.wait_margin_seconds,
    )


def _model(read: settings.Settings, name: str) -> run_inputs.LanguageModelChoice | None:
    if read.language_model_base_url is None:
        return None
    return run_inputs.LanguageModelChoice(
        engine=params.LanguageModelEngine.OPENAI, model=name, prompt_revision=prompts.REVISION
    )


def _extractive() -> run_inputs.LanguageModelChoice:
    return run_inputs.LanguageModelChoice(
        engine=params.LanguageModelEngine.EXTRACTIVE,
        model=EXTRACTIVE_MODEL,
        prompt_revision=prompts.EXTRACTIVE_REVISION,
    )


async def start_run(
    client: RunClient, job: job_store.Job, read: settings.Settings, *, traceparent: str | None = None
) -> bool:
    """Starts the job's run unless its instance exists. True when this call started it.

    Any number of callers may try: Durable refuses the id of an instance that is alive. It would silently
    replace one that is over, so that is looked up first; an instance's id is never used again.
    """
    instance_id = identity.instance_id(job_id=job.job_id, run=job.run)
    if await instance_state(client, instance_id) is not InstanceState.MISSING:
        return False
    start = run_input(job, read, traceparent=traceparent)
    try:
        await client.start_new(run_inputs.PIPELINE, instance_id, start.model_dump(mode="json"))
    except Exception as error:
        # The client raises bare exceptions: whether another caller was faster is seen by looking again.
        if await instance_state(client, instance_id) is InstanceState.MISSING:
            raise errors.DurableUnavailableError from error
        return False
    log.info("run_started", job_id=job.job_id, run=job.run, workflow=job.workflow)
    return True


async def instance_state(client: RunClient, instance_id: str) -> InstanceState:
    """What has become of an instance. Raises DurableUnavailableError when Durable does not say."""
    try:
        status = await client.get_status(instance_id)
    except Exception as error:
        raise errors.DurableUnavailableError from error
    runtime_status = getattr(status, "runtime_status", None)
    if runtime_status is not None:
        return _STATES[runtime_status]
    # The client makes an empty status of an empty 404, and another one of the body of an error.
    if getattr(status, "message", None) == "":
        return InstanceState.MISSING
    raise errors.DurableUnavailableError


_ALIVE: Final = (
    OrchestrationRuntimeStatus.Pending,
    OrchestrationRuntimeStatus.Running,
    OrchestrationRuntimeStatus.Suspended,
    OrchestrationRuntimeStatus.ContinuedAsNew,
)

_STATES: Final = {
    status: InstanceState.ALIVE if status in _ALIVE else InstanceState.FINISHED
    for status in OrchestrationRuntimeStatus
}
