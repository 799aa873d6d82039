"""The end of a run: its manifest, then its status, then its working blobs."""

from collections.abc import Mapping

import structlog

from contracts import blobs, jobs, languages, results, steps
from function_app import blobs as blob_stores
from function_app import errors, run_inputs, services
from function_app.activities import answers, plans, requests, run_files, standing
from function_app.drop_folder import receipts
from function_app.store import job_store

log = structlog.get_logger(__name__)


def finish_run(use: services.Services, call: run_inputs.RunEndCall) -> answers.Answer:
    """Ends the run; in this order, so that whoever sees it ended finds its manifest.

    A cancelled run gets no manifest. Repeating it changes nothing. Raises BlobsUnavailableError when nothing
    but the working blobs is left to do: the run has ended then, and repeating it removes them.
    """
    if call.status is not jobs.JobStatus.CANCELLED and not standing.is_over(use.store, call.identity):
        _write_manifest(use.blobs, call)
    answer = _end(use, call)
    _remove_work(use.blobs, call.identity)
    return answer


def fail_run(use: services.Services, call: run_inputs.RunEndCall) -> answers.Answer:
    """The end of a run whose flow broke: nothing is read that may be what broke it.

    What cannot be removed now is removed by the clock and by the container's lifecycle rule.
    """
    answer = _end(use, call)
    try:
        _remove_work(use.blobs, call.identity)
    except errors.BlobError:
        log.warning("work_not_removed", job_id=call.identity.job_id, run=call.identity.run)
    return answer


def _end(use: services.Services, call: run_inputs.RunEndCall) -> answers.Answer:
    identity = call.identity
    ended = use.store.end_run(
        job_id=identity.job_id,
        run=identity.run,
        end=job_store.RunEnd(
            status=call.status,
            language=call.language,
            language_confidence=call.language_confidence,
            duration_seconds=call.duration_seconds,
            error=call.error,
        ),
    )
    if ended:
        _tell_dropper(use, identity)
        log.info("run_ended", job_id=identity.job_id, run=identity.run, status=call.status)
    return {"status": call.status.value}


def _tell_dropper(use: services.Services, identity: run_inputs.RunIdentity) -> None:
    """Here for speed alone: the sweep tells whoever has not been told."""
    job = use.store.find(identity.job_id)
    if job is not None:
        receipts.tell_of_job(use, job)


def _remove_work(store: blob_stores.BlobStore, identity: run_inputs.RunIdentity) -> None:
    prefix = blobs.work_prefix(tenant_id=identity.tenant_id, job_id=identity.job_id)
    store.delete_prefix(blobs.Container.WORK, prefix)


def _write_manifest(store: blob_stores.BlobStore, call: run_inputs.RunEndCall) -> None:
    identity = call.identity
    language = _language_result(store, call)
    files = {**call.files, **_language_file(store, call, language)}
    warnings = (*call.warnings, *(language.warnings if language else ()))
    manifest = results.RunManifest(
        job_id=identity.job_id,
        run=identity.run,
        workflow=call.workflow,
        status=call.status,
        keys=_keys(store, call),
        files=files,
        errors=call.errors or ((call.error,) if call.error else ()),
        warnings=tuple(dict.fromkeys(warnings)),
    )
    path = blobs.run_manifest_path(tenant_id=identity.tenant_id, job_id=identity.job_id, run=identity.run)
    data = run_files.json_text(manifest).encode()
    store.ensure(blobs.Container.RESULTS, path, data, content_type=run_files.JSON)


def _keys(store: blob_stores.BlobStore, call: run_inputs.RunEndCall) -> Mapping[steps.Step, tuple[str, ...]]:
    keys: dict[steps.Step, tuple[str, ...]] = {step: (key,) for step, key in call.keys.items()}
    if call.plan and call.transcribe:
        keys[steps.Step.TRANSCRIBE] = tuple(
            requests.transcript_key(chunk, call.transcribe)
            for chunk in plans.read(store, call.plan).chunks
            if chunk.index not in call.failed_chunks
        )
    return keys


def _language_result(
    store: blob_stores.BlobStore, call: run_inputs.RunEndCall
) -> results.LanguageResult | None:
    """What `lid` found; where only the language is wanted and there is no speech, that nobody knows it."""
    key = call.keys.get(steps.Step.LID)
    if key is None:
        wanted = call.workflow is jobs.Workflow.LID_ONLY and call.language == languages.UNDETERMINED
        return _unknown_language() if wanted else None
    path = blobs.step_result_path(
        tenant_id=call.identity.tenant_id, job_id=call.identity.job_id, step=steps.Step.LID, key=key
    )
    data = store.read(blobs.BlobReference(container=blobs.Container.RESULTS, path=path))
    return results.LanguageResult.model_validate_json(data)


def _unknown_language() -> results.LanguageResult:
    return results.LanguageResult(
        language=languages.UNDETERMINED,
        confidence=0.0,
        votes=(),
        engine="none",
        model="",
        revision="",
        warnings=("no speech was found",),
    )


def _language_file(
    store: blob_stores.BlobStore, call: run_inputs.RunEndCall, language: results.LanguageResult | None
) -> dict[str, str]:
    if language is None:
        return {}
    files = run_files.RunFiles(store=store, identity=call.identity)
    return {"language.json": files.write("language.json", run_files.json_text(language)).path}
