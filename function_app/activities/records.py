"""What the job store is told as a run goes on. Every write may be repeated."""

from contracts import blobs, errors, params, steps
from contracts import languages as language_codes
from function_app import run_inputs, services
from function_app.activities import answers, plans, skips, standing
from function_app.language_model import names
from function_app.store import job_store


def begin_run(use: services.Services, identity: run_inputs.RunIdentity) -> answers.Answer:
    """`completed` when the run has begun; `cancelled` when it is over. Raises BlobsUnavailableError."""
    if use.store.begin_run(job_id=identity.job_id, run=identity.run):
        return answers.DONE
    job = use.store.find(identity.job_id)
    if job is not None and job.run == identity.run:
        # Cancelled before it began: the run ends here, and its cancel marker has nobody left to tell.
        prefix = blobs.work_prefix(tenant_id=identity.tenant_id, job_id=identity.job_id)
        use.blobs.delete_prefix(blobs.Container.WORK, prefix)
    return answers.CANCELLED


def begin_transcription(use: services.Services, start: run_inputs.TranscriptionStart) -> answers.Answer:
    """`completed` when transcription has begun, with what progress counts up to; or `cancelled`, `failed`."""
    if standing.is_over(use.store, start.identity):
        return answers.CANCELLED
    chunks = plans.read(use.blobs, start.plan).chunks
    use.store.begin_step(
        job_id=start.identity.job_id,
        run=start.identity.run,
        step=steps.Step.TRANSCRIBE,
        attempt=1,
        audio_seconds_total=sum(chunk.end - chunk.start for chunk in chunks),
        chunks_total=len(chunks),
    )
    return _refusal(start) or answers.DONE


def _refusal(start: run_inputs.TranscriptionStart) -> answers.Answer | None:
    """What the engine cannot do is said before a chunk is sent."""
    if start.engine is not params.TranscriptionEngine.POCKETSPHINX or start.language is None:
        return None
    if language_codes.same_language(start.language, "en"):
        return None
    return answers.failed(
        errors.ErrorCode.UNSUPPORTED_LANGUAGE,
        f"The engine pocketsphinx understands English (en) only, and the recording is in "
        f"{names.with_code(start.language)}. Set WHISPER_MODEL to a Whisper model.",
    )


def record_step(use: services.Services, report: run_inputs.StepReport) -> answers.Answer:
    """The end of a step, and what it found out about the recording."""
    identity = report.identity
    use.store.record_language(
        job_id=identity.job_id,
        run=identity.run,
        language=report.language,
        confidence=report.language_confidence,
        duration_seconds=report.duration_seconds,
    )
    end = job_store.StepEnd(
        step=report.step,
        attempt=_attempt(use.store, report),
        status=report.status,
        error=report.error,
        usage=report.usage,
    )
    use.store.end_step(job_id=identity.job_id, run=identity.run, end=end)
    return answers.DONE


def _attempt(store: job_store.JobStore, report: run_inputs.StepReport) -> int:
    """Transcription is attempted once, and its chunks several times: the highest of their attempts is the one
    under which the store has it begun, and it takes no end of an earlier one.
    """
    if report.step is not steps.Step.TRANSCRIBE:
        return report.attempt
    job = store.find(report.identity.job_id)
    begun = (record.attempt for record in (job.steps if job else ()) if record.step is report.step)
    return max((report.attempt, *begun))


def record_chunk(use: services.Services, report: run_inputs.ChunkReport) -> answers.Answer:
    """The end of one chunk: what progress counts."""
    outcome = job_store.ChunkOutcome(
        chunk=report.chunk,
        attempt=report.attempt,
        status=report.status,
        audio_seconds=report.audio_seconds,
        error=report.error,
        usage=report.usage,
    )
    use.store.record_chunk(
        job_id=report.identity.job_id,
        run=report.identity.run,
        step=steps.Step.TRANSCRIBE,
        outcome=outcome,
    )
    return answers.DONE


def skip_step(use: services.Services, skip: run_inputs.StepSkip) -> answers.Answer:
    """A step that is not done, with its reason."""
    end = job_store.StepEnd(
        step=skip.step,
        attempt=0,
        status=steps.StepStatus.SKIPPED,
        skipped_because=skips.sentence(skip),
    )
    use.store.end_step(job_id=skip.identity.job_id, run=skip.identity.run, end=end)
    return answers.DONE
