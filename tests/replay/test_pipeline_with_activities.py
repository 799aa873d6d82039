"""The pipeline with its real activities: the SDK's replay, and the twins of store, storage and queue."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts import blobs, events, jobs, results, steps
from contracts.errors import ErrorCode
from function_app import services
from tests.replay import platforms


@pytest.fixture
def platform() -> Iterator[platforms.Platform]:
    yield platforms.build()
    services.use(None)


def test_transcribe_only_leaves_a_transcript_and_its_files(platform: platforms.Platform) -> None:
    instance = platform.run(jobs.Workflow.TRANSCRIBE_ONLY, source_language="en")
    assert instance.output == {"status": "completed"}
    job = platform.job()
    assert (job.status, job.language, job.duration_seconds) == (jobs.JobStatus.COMPLETED, "en", 30.0)
    transcript = results.Transcript.model_validate_json(platform.results_file("transcript.json"))
    assert transcript.text == "Hello there. The parcel is late. We will send another one."
    assert (transcript.coverage.speech_seconds, transcript.coverage.gap_seconds) == (24.0, 0.0)
    assert platform.results_file("transcript.txt").decode() == transcript.text + "\n"
    assert platform.results_file("transcript.srt").startswith(b"1\n00:00:01,000 --> ")
    assert platform.results_file("transcript.vtt").startswith(b"WEBVTT\n\n00:00:01.000 --> ")


def test_full_pipeline_summarises_and_says_why_it_does_not_translate(platform: platforms.Platform) -> None:
    platform.workers.language = "es"
    assert platform.run(jobs.Workflow.FULL_PIPELINE).output == {"status": "completed"}
    assert "LANGUAGE_MODEL_BASE_URL" in (platform.step(steps.Step.TRANSLATE).skipped_because or "")
    summary = results.Summary.model_validate_json(platform.results_file("summary.json"))
    assert summary.text
    manifest = platform.manifest()
    assert manifest.warnings == (
        "extractive summary: no language model is configured",
        "only one place was heard",
    )
    assert [len(manifest.keys[step]) for step in manifest.keys] == [1, 1, 1, 3]
    assert results.LanguageResult.model_validate_json(platform.results_file("language.json")).language == "es"


def test_recording_in_the_target_language_is_not_translated(platform: platforms.Platform) -> None:
    platform.run(jobs.Workflow.FULL_PIPELINE)
    record = platform.step(steps.Step.TRANSLATE)
    assert record.skipped_because == "the recording is already in English (en)"
    assert platform.step(steps.Step.LID).status is steps.StepStatus.COMPLETED


def test_lid_only_leaves_the_language(platform: platforms.Platform) -> None:
    assert platform.run(jobs.Workflow.LID_ONLY).output == {"status": "completed"}
    assert list(platform.manifest().files) == ["language.json"]
    assert (platform.job().language, platform.job().language_confidence) == ("en", 0.9)


@pytest.mark.parametrize("workflow", [jobs.Workflow.FULL_PIPELINE, jobs.Workflow.TRANSCRIBE_ONLY])
def test_silence_gives_an_empty_transcript_with_a_warning(
    platform: platforms.Platform, workflow: jobs.Workflow
) -> None:
    platform.workers.sentences = ()
    language = "en" if workflow is jobs.Workflow.TRANSCRIBE_ONLY else None
    assert platform.run(workflow, source_language=language).output == {"status": "completed"}
    transcript = results.Transcript.model_validate_json(platform.results_file("transcript.json"))
    assert (transcript.text, transcript.segments) == ("", ())
    assert "no speech was found" in platform.manifest().warnings
    assert platform.results_file("transcript.srt") == b""
    assert platform.results_file("transcript.vtt") == b"WEBVTT\n"


def test_speech_without_text_is_summarised_in_no_words(platform: platforms.Platform) -> None:
    platform.workers.is_mute = True
    assert platform.run(jobs.Workflow.FULL_PIPELINE).output == {"status": "completed"}
    summary = results.Summary.model_validate_json(platform.results_file("summary.json"))
    assert (summary.text, summary.warnings) == ("", ("there is no text to summarise",))


def test_silence_in_lid_only_has_no_language(platform: platforms.Platform) -> None:
    platform.workers.sentences = ()
    assert platform.run(jobs.Workflow.LID_ONLY).output == {"status": "completed"}
    found = results.LanguageResult.model_validate_json(platform.results_file("language.json"))
    assert (found.language, found.confidence) == ("und", 0.0)
    assert platform.manifest().warnings == ("no speech was found",)


def test_failed_chunk_is_a_gap_in_the_transcript(platform: platforms.Platform) -> None:
    platform.workers.failures = {
        "transcribe.1.1": events.Failed(code=ErrorCode.CORRUPT_AUDIO, message="Broken.", retryable=False)
    }
    instance = platform.run(jobs.Workflow.TRANSCRIBE_ONLY, source_language="en")
    assert instance.output == {"status": "partial_complete"}
    transcript = results.Transcript.model_validate_json(platform.results_file("transcript.json"))
    assert transcript.text == "Hello there. We will send another one."
    (gap,) = transcript.coverage.gaps
    assert (gap.start, gap.end, gap.reason) == (11.0, 19.0, results.GapReason.CHUNK_FAILED)
    assert transcript.coverage.gap_seconds + transcript.coverage.transcribed_seconds == 24.0
    assert platform.manifest().errors[0].message == "1 of 3 chunks could not be transcribed: Broken."
    assert len(platform.manifest().keys[steps.Step.TRANSCRIBE]) == 2


def test_chunk_that_needs_a_second_attempt_leaves_its_step_completed(platform: platforms.Platform) -> None:
    platform.workers.failures = {
        "transcribe.1.1": events.Failed(code=ErrorCode.ENGINE_FAILED, message="Broken.", retryable=True)
    }
    instance = platform.run(jobs.Workflow.TRANSCRIBE_ONLY, source_language="en")
    assert instance.output == {"status": "completed"}
    record = platform.step(steps.Step.TRANSCRIBE)
    assert (record.status, record.attempt, record.chunks_done) == (steps.StepStatus.COMPLETED, 2, 3)


def test_recording_of_which_every_chunk_fails_shows_why_at_its_step(platform: platforms.Platform) -> None:
    platform.workers.failures = {
        f"transcribe.{chunk}.{attempt}": events.Failed(
            code=ErrorCode.ENGINE_FAILED, message="Broken.", retryable=True
        )
        for chunk in range(3)
        for attempt in range(1, 4)
    }
    instance = platform.run(jobs.Workflow.TRANSCRIBE_ONLY, source_language="en")
    assert instance.output == {"status": "failed"}
    record = platform.step(steps.Step.TRANSCRIBE)
    assert (record.status, record.attempt) == (steps.StepStatus.FAILED, 3)
    assert record.error is not None
    assert record.error.message == "Broken."


def test_file_that_is_no_recording_fails_the_job_in_plain_words(platform: platforms.Platform) -> None:
    platform.workers.failures = {
        "prepare.0.1": events.Failed(code=ErrorCode.NOT_AUDIO, message="This is text.", retryable=False)
    }
    assert platform.run(jobs.Workflow.FULL_PIPELINE).output == {"status": "failed"}
    job = platform.job()
    assert job.error == results.RunError(
        step=steps.Step.PREPARE, code=ErrorCode.NOT_AUDIO, message="This is text."
    )
    assert platform.step(steps.Step.TRANSCRIBE).skipped_because == "prepare failed"
    assert platform.manifest().status is jobs.JobStatus.FAILED


@pytest.mark.usefixtures("platform")
def test_language_that_the_offline_engine_lacks_fails_before_any_chunk_is_sent() -> None:
    platform = platforms.build(whisper_engine="pocketsphinx")
    instance = platform.run(jobs.Workflow.TRANSCRIBE_ONLY, source_language="es")
    assert instance.output == {"status": "failed"}
    error = platform.job().error
    assert error is not None
    assert error.code == ErrorCode.UNSUPPORTED_LANGUAGE
    assert "the recording is in Spanish (es)" in error.message
    assert [request.step for request in platform.sender.sent] == [steps.Step.PREPARE]


def test_working_blobs_are_gone_when_the_job_has_ended(platform: platforms.Platform) -> None:
    platform.run(jobs.Workflow.TRANSCRIBE_ONLY, source_language="en")
    assert list(platform.blobs.paths(blobs.Container.WORK, "")) == []


def test_every_activity_may_run_again_after_the_job_has_ended(platform: platforms.Platform) -> None:
    platform.run(jobs.Workflow.FULL_PIPELINE)
    job, manifest = platform.job(), platform.manifest()
    sent = len(platform.sender.sent)
    for name, given in platform.hub.calls:
        if name != "merge_transcript":
            platforms.FUNCTIONS[name](given=given)
    assert platform.job() == job
    assert platform.manifest() == manifest
    assert len(platform.sender.sent) == sent


def test_progress_counts_seconds_and_chunks(platform: platforms.Platform) -> None:
    platform.run(jobs.Workflow.TRANSCRIBE_ONLY, source_language="en")
    record = platform.step(steps.Step.TRANSCRIBE)
    assert (record.chunks_done, record.chunks_total) == (3, 3)
    assert (record.audio_seconds_done, record.audio_seconds_total) == (30.0, 30.0)
