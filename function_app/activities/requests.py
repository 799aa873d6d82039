"""Step requests: made from a call and its plan alone, so that making one again gives the same."""

from contracts import blobs, messages, params, result_keys, results, steps
from function_app import blobs as blob_stores
from function_app import run_inputs
from function_app.activities import plans


def build(store: blob_stores.BlobStore, call: run_inputs.StepCall) -> messages.StepRequest:
    """The message for the step's worker. Raises what reading the plan raises."""
    inputs, chunk_audio = _inputs(store, call)
    key = result_keys.result_key(
        inputs=[_fingerprint(reference) for reference in inputs.values()],
        params=call.params,
        chunk_audio=chunk_audio,
    )
    identity = call.identity
    path = blobs.step_result_path(
        tenant_id=identity.tenant_id, job_id=identity.job_id, step=call.step, key=key, chunk=call.chunk
    )
    return messages.StepRequest(
        tenant_id=identity.tenant_id,
        job_id=identity.job_id,
        run=identity.run,
        step=call.step,
        chunk=call.chunk,
        attempt=call.attempt,
        priority=call.priority,
        result=messages.ResultTarget(key=key, path=path),
        inputs=inputs,
        chunk_audio=chunk_audio,
        params=call.params,
        reply_to=call.reply_to,
        traceparent=call.traceparent,
        expires_at=call.expires_at,
    )


_Inputs = tuple[dict[messages.InputName, blobs.BlobReference], messages.ChunkAudio | None]


def _inputs(store: blob_stores.BlobStore, call: run_inputs.StepCall) -> _Inputs:
    if call.source is not None:
        return {messages.InputName.SOURCE: call.source}, None
    if call.plan is None:
        raise ValueError(f"{call.step} has neither a source nor a plan")
    if call.chunk is None:
        return {messages.InputName.PLAN: call.plan}, None
    chunk = plans.read(store, call.plan).chunks[call.chunk]
    return {messages.InputName.CHUNK: chunk.audio}, chunk_audio(chunk)


def chunk_audio(chunk: results.PlannedChunk) -> messages.ChunkAudio:
    """The chunk's place in the recording."""
    return messages.ChunkAudio(channel=chunk.channel, start=chunk.start, end=chunk.end, speech=chunk.speech)


def transcript_key(chunk: results.PlannedChunk, asked: params.TranscribeParams) -> str:
    """The result key of the chunk's transcript."""
    return result_keys.result_key(
        inputs=[_fingerprint(chunk.audio)], params=asked, chunk_audio=chunk_audio(chunk)
    )


def transcript_path(
    identity: run_inputs.RunIdentity, chunk: results.PlannedChunk, asked: params.TranscribeParams
) -> str:
    """Where the chunk's transcript lies."""
    return blobs.step_result_path(
        tenant_id=identity.tenant_id,
        job_id=identity.job_id,
        step=steps.Step.TRANSCRIBE,
        key=transcript_key(chunk, asked),
        chunk=chunk.index,
    )


def _fingerprint(reference: blobs.BlobReference) -> str:
    """The content hash; of an upload that nobody has read yet, its ETag."""
    fingerprint = reference.content_hash or reference.etag
    if fingerprint is None:
        raise ValueError(f"{reference.container}/{reference.path} has neither a content hash nor an ETag")
    return fingerprint
