"""Joins the chunks' transcripts and writes the transcript's files."""

from concurrent import futures
from typing import Final

from contracts import blobs, results
from function_app import blobs as blob_stores
from function_app import run_inputs, services, transcripts
from function_app.activities import answers, plans, requests, run_files, transcript_files

READERS: Final = 8
"""Blobs that are read at the same time."""


def merge_transcript(use: services.Services, call: run_inputs.TranscriptCall) -> answers.Answer:
    """Writes transcript.json, .txt, .srt and .vtt; the same chunks give the same files.

    Raises BlobMissingError when a chunk that did not fail has no transcript.
    """
    plan = plans.read(use.blobs, call.plan)
    transcript = transcripts.merge(
        transcripts.Parts(
            plan=plan,
            params=call.params,
            chunks=_chunks(use.blobs, call, plan),
            failures=call.failures,
            language=call.language,
            language_confidence=call.language_confidence,
        )
    )
    return transcript_files.write(run_files.RunFiles(store=use.blobs, identity=call.identity), transcript)


def _chunks(
    store: blob_stores.BlobStore, call: run_inputs.TranscriptCall, plan: results.ChunkPlan
) -> dict[int, results.ChunkTranscript]:
    wanted = [chunk for chunk in plan.chunks if chunk.index not in call.failures]

    def read(chunk: results.PlannedChunk) -> results.ChunkTranscript:
        path = requests.transcript_path(call.identity, chunk, call.params)
        data = store.read(blobs.BlobReference(container=blobs.Container.RESULTS, path=path))
        return results.ChunkTranscript.model_validate_json(data)

    with futures.ThreadPoolExecutor(max_workers=READERS) as pool:
        return {chunk.index: found for chunk, found in zip(wanted, pool.map(read, wanted), strict=True)}
