"""Translation and summary: asks the language model, keeps what it said, writes the files."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import structlog

from contracts import blobs, languages, params, result_keys, results, steps
from function_app import blobs as blob_stores
from function_app import errors, given_transcripts, run_inputs, services, subtitles
from function_app.activities import answers, run_files, standing
from function_app.language_model import fidelity, model, models, progress

log = structlog.get_logger(__name__)

NO_TEXT: Final = "there is no text to summarise"

SECONDS_PER_CALL: Final = 240.0
"""After which an activity stops and is called again; far below the host's functionTimeout."""


def translate(use: services.Services, call: run_inputs.LanguageModelCall) -> answers.Answer:
    """Writes the translation's result, and translation.{language}.json, .txt, .srt and .vtt."""
    return _do(use, call, _translation)


def summarize(use: services.Services, call: run_inputs.LanguageModelCall) -> answers.Answer:
    """Writes the summary's result, and summary.json and summary.txt."""
    return _do(use, call, _summary)


@dataclass(frozen=True, kw_only=True)
class _Work:
    use: services.Services
    call: run_inputs.LanguageModelCall
    done: progress.Progress

    def transcript(self) -> results.Transcript:
        return results.Transcript.model_validate_json(self.use.blobs.read(self.call.transcript))


_Result = results.Translation | results.Summary


def _do(
    use: services.Services, call: run_inputs.LanguageModelCall, make: Callable[[_Work], _Result]
) -> answers.Answer:
    """`completed`, `unfinished`, `cancelled` or `failed`; a result that is there is not made again.

    Raises StoreUnavailableError and BlobError alone: what the language model does wrong is an answer.
    """
    if standing.is_over(use.store, call.identity):
        return answers.CANCELLED
    identity = call.identity
    use.store.begin_step(job_id=identity.job_id, run=identity.run, step=call.step, attempt=1)
    started = time.monotonic()
    pieces = _BlobPieces(store=use.blobs, prefix=_pieces_prefix(identity, call.step))
    done = progress.Progress(
        store=pieces, seconds=SECONDS_PER_CALL, is_over=lambda: standing.is_over(use.store, identity)
    )
    try:
        result, key = _result(_Work(use=use, call=call, done=done), make)
    except progress.UnfinishedError:
        return answers.UNFINISHED
    except errors.LanguageModelError as error:
        log.warning("language_model_failed", job_id=identity.job_id, step=call.step, code=error.code)
        return answers.failed(
            error.code,
            str(error),
            retry_after_seconds=error.retry_after_seconds,
            progressed=done.pieces_made > 0,
        )
    files = _FILES[call.step](result)
    writer = run_files.RunFiles(store=use.blobs, identity=identity)
    return {
        **answers.DONE,
        "key": key,
        "files": {name: writer.write(name, text).path for name, text in files.items()},
        "warnings": list(result.warnings),
        "usage": {
            "run_seconds": time.monotonic() - started,
            "engine": call.choice.engine.value,
            "model": call.choice.model,
        },
    }


def _result(work: _Work, make: Callable[[_Work], _Result]) -> tuple[_Result, str]:
    """The result and its key: found under it, or made and kept under it. What is kept first counts."""
    use, call = work.use, work.call
    key = result_keys.result_key(
        inputs=[call.transcript.content_hash or call.transcript.etag or call.transcript.path],
        params=_params(call),
    )
    identity = call.identity
    path = blobs.step_result_path(
        tenant_id=identity.tenant_id, job_id=identity.job_id, step=call.step, key=key
    )
    form = results.Translation if call.step is steps.Step.TRANSLATE else results.Summary
    found = _found(use.blobs, path)
    if found is not None:
        return form.model_validate_json(found), key
    text = run_files.json_text(make(work))
    use.blobs.ensure(blobs.Container.RESULTS, path, text.encode(), content_type=run_files.JSON)
    # Two calls may be under way when a host was lost: both go on with what the faster one wrote.
    return form.model_validate_json(_found(use.blobs, path) or text), key


def _found(store: blob_stores.BlobStore, path: str) -> bytes | None:
    try:
        return store.read(blobs.BlobReference(container=blobs.Container.RESULTS, path=path))
    except errors.BlobMissingError:
        return None


def _params(call: run_inputs.LanguageModelCall) -> params.TranslateParams | params.SummarizeParams:
    choice = {
        "engine": call.choice.engine,
        "model": call.choice.model,
        "prompt_revision": call.choice.prompt_revision,
        "source_language": call.source_language,
    }
    if call.step is steps.Step.TRANSLATE:
        return params.TranslateParams(**choice, target_language=call.target_language, glossary=call.glossary)
    return params.SummarizeParams(**choice, language=call.target_language)


def _translation(work: _Work) -> results.Translation:
    call, transcript = work.call, work.transcript()
    texts = models.build(call.choice, work.use.settings).translate(
        transcript.segments,
        source_language=call.source_language,
        target_language=call.target_language,
        done=work.done,
        glossary=call.glossary,
    )
    segments = tuple(
        results.TranslatedSegment(id=one.id, start=one.start, end=one.end, text=texts[one.id])
        for one in transcript.segments
    )
    return results.Translation(
        source_language=call.source_language,
        language=call.target_language,
        text=_joiner(call, segments).join(one.text for one in segments),
        segments=segments,
        engine=call.choice.engine,
        model=call.choice.model,
        warnings=fidelity.warnings(
            transcript.segments, texts, source_language=call.source_language, glossary=call.glossary
        ),
    )


def _joiner(call: run_inputs.LanguageModelCall, segments: Sequence[results.TranslatedSegment]) -> str:
    """The segments of a plain text are its lines."""
    timed = given_transcripts.is_timed(segments)
    return languages.joiner(call.target_language) if timed else "\n"


def _summary(work: _Work) -> results.Summary:
    call, transcript = work.call, work.transcript()
    if not transcript.text.strip():
        digest = model.Digest(language=call.target_language, text="", key_points=(), warnings=(NO_TEXT,))
    else:
        digest = models.build(call.choice, work.use.settings).summarize(
            transcript, language=call.target_language, done=work.done
        )
    return results.Summary(
        language=digest.language,
        text=digest.text,
        key_points=digest.key_points,
        engine=call.choice.engine,
        model=call.choice.model,
        warnings=digest.warnings,
    )


def _translation_files(result: results.Translation) -> dict[str, str]:
    name = f"translation.{result.language}"
    texts = {f"{name}.txt": result.text + "\n"}
    if given_transcripts.is_timed(result.segments):
        cues = subtitles.of_translation(result.segments)
        texts |= {f"{name}.srt": subtitles.srt(cues), f"{name}.vtt": subtitles.vtt(cues)}
    return texts | {f"{name}.json": run_files.json_text(result)}


def _summary_files(result: results.Summary) -> dict[str, str]:
    points = "".join(f"- {point}\n" for point in result.key_points)
    return {
        "summary.txt": f"{result.text}\n\n{points}",
        "summary.json": run_files.json_text(result),
    }


_FILES: Final[Mapping[steps.Step, Callable[..., dict[str, str]]]] = MappingProxyType(
    {steps.Step.TRANSLATE: _translation_files, steps.Step.SUMMARIZE: _summary_files}
)


def _pieces_prefix(identity: run_inputs.RunIdentity, step: steps.Step) -> str:
    return f"{blobs.work_prefix(tenant_id=identity.tenant_id, job_id=identity.job_id)}{step}/"


@dataclass(frozen=True, kw_only=True)
class _BlobPieces:
    """Pieces in `work`: removed with it when the run ends."""

    store: blob_stores.BlobStore
    prefix: str

    def get(self, key: str) -> str | None:
        reference = blobs.BlobReference(container=blobs.Container.WORK, path=f"{self.prefix}{key}")
        try:
            return self.store.read(reference).decode()
        except errors.BlobMissingError:
            return None

    def put(self, key: str, text: str) -> None:
        path = f"{self.prefix}{key}"
        self.store.ensure(blobs.Container.WORK, path, text.encode(), content_type=run_files.JSON)
