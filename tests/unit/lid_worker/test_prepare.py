"""The step `prepare`, from an upload to a plan."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from contracts import blobs, results
from contracts.errors import ErrorCode
from lid_worker.prepare.handler import PrepareHandler
from lid_worker.prepare.sound import SAMPLE_RATE_HZ
from tests.unit.lid_worker import sounds, steps_bench
from worker_kit import blobs as kit_blobs
from worker_kit import errors

CONVERSATION = (sounds.SAMPLES / "english-conversation.flac").read_bytes()


@pytest.fixture(scope="module")
def handler() -> PrepareHandler:
    loaded = PrepareHandler()
    loaded.load()
    loaded.warm_up()
    return loaded


@pytest.fixture
def bench(tmp_path: Path) -> steps_bench.Bench:
    return steps_bench.Bench(workspace=tmp_path)


def chunk_sound(
    bench: steps_bench.Bench, chunk: results.PlannedChunk
) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    sound, rate = soundfile.read(io.BytesIO(bench.store.read(chunk.audio)), dtype="int16")
    assert rate == SAMPLE_RATE_HZ
    return np.asarray(sound)


def test_plan_tells_what_the_file_is_and_where_its_speech_lies(
    bench: steps_bench.Bench, handler: PrepareHandler
) -> None:
    source = bench.upload(CONVERSATION)
    plan, _ = bench.prepare(handler, source)
    assert plan.source == results.SourceFacts(
        content_hash=kit_blobs.content_hash(CONVERSATION),
        size_bytes=len(CONVERSATION),
        container_format="flac",
        audio_codec="flac",
        sample_rate_hz=16000,
        channels=1,
        audio_tracks=1,
    )
    assert plan.audio_seconds == pytest.approx(54.057, abs=0.001)
    (chunk,) = plan.chunks
    assert len(chunk.speech) == 25
    assert plan.speech_seconds == pytest.approx(sum(s.end - s.start for s in chunk.speech), abs=0.01)
    assert plan.warnings == ()


def test_chunks_hold_the_sound_of_their_place_bit_for_bit(
    bench: steps_bench.Bench, handler: PrepareHandler
) -> None:
    plan, _ = bench.prepare(handler, bench.upload(CONVERSATION), longest_chunk_seconds=15)
    original = sounds.samples_of("english-conversation.flac")
    assert [chunk.index for chunk in plan.chunks] == list(range(len(plan.chunks)))
    assert len(plan.chunks) >= 4
    for chunk in plan.chunks:
        start, end = (round(place * SAMPLE_RATE_HZ) for place in (chunk.start, chunk.end))
        assert np.array_equal(chunk_sound(bench, chunk), original[start:end])
        assert chunk.end - chunk.start <= 15
        assert (chunk.speech[0].start, chunk.speech[-1].end) == (chunk.start, chunk.end)
    assert all(a.end <= b.start for a, b in itertools.pairwise(plan.chunks))


def test_the_same_file_gives_the_same_plan_and_the_same_chunks(
    bench: steps_bench.Bench, handler: PrepareHandler, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = steps_bench.Bench(workspace=tmp_path / "other")
    first, _ = bench.prepare(handler, bench.upload(CONVERSATION), longest_chunk_seconds=15)
    second, _ = other.prepare(handler, other.upload(CONVERSATION), longest_chunk_seconds=15)
    assert first == second
    again, _ = bench.prepare(handler, bench.upload(CONVERSATION), longest_chunk_seconds=15)
    assert [chunk.audio.content_hash for chunk in again.chunks] == [
        chunk.audio.content_hash for chunk in first.chunks
    ]


def test_recording_without_speech_has_no_chunks(bench: steps_bench.Bench, handler: PrepareHandler) -> None:
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(3 * SAMPLE_RATE_HZ, dtype=np.int16), SAMPLE_RATE_HZ, format="WAV")
    plan, _ = bench.prepare(handler, bench.upload(silence.getvalue()))
    assert (plan.chunks, plan.speech_seconds, plan.audio_seconds) == ((), 0.0, 3.0)


def test_plan_serves_again_only_while_its_chunks_are_there(
    bench: steps_bench.Bench, handler: PrepareHandler
) -> None:
    source = bench.upload(CONVERSATION)
    plan, _ = bench.prepare(handler, source, longest_chunk_seconds=15)
    request = steps_bench.prepare_request(source, longest_chunk_seconds=15)
    assert handler.reusable(plan, bench.context(request))
    bench.store.delete(blobs.Container.WORK, plan.chunks[2].audio.path)
    assert not handler.reusable(plan, bench.context(request))
    again, _ = bench.prepare(handler, source, longest_chunk_seconds=15)
    assert again == plan
    assert len(chunk_sound(bench, plan.chunks[2])) > 0


def prepare_fails(
    bench: steps_bench.Bench, handler: PrepareHandler, source: blobs.BlobReference, **wanted: float
) -> errors.StepError:
    with pytest.raises(errors.StepError) as caught:
        bench.prepare(handler, source, **wanted)
    return caught.value


def test_limits_are_kept_and_named(bench: steps_bench.Bench, handler: PrepareHandler) -> None:
    source = bench.upload(CONVERSATION)
    long = prepare_fails(bench, handler, source, longest_recording_seconds=36)
    assert (long.code, str(long)) == (
        ErrorCode.TOO_LONG,
        "The recording is longer than 0.01 hours: cut it into shorter files.",
    )
    large = prepare_fails(bench, handler, source, largest_source_bytes=1024**2 // 2)
    assert (large.code, str(large)) == (
        ErrorCode.TOO_LARGE,
        "The file is larger than 0.5 MiB: upload its sound alone.",
    )
    assert not long.retryable
    assert not large.retryable


def test_upload_that_is_gone_changed_or_empty_is_named(
    bench: steps_bench.Bench, handler: PrepareHandler
) -> None:
    source = bench.upload(CONVERSATION)
    bench.upload(b"something else")
    assert prepare_fails(bench, handler, source).code is ErrorCode.SOURCE_CHANGED
    bench.store.delete(source.container, source.path)
    assert prepare_fails(bench, handler, source).code is ErrorCode.SOURCE_MISSING
    assert prepare_fails(bench, handler, bench.upload(b"")).code is ErrorCode.EMPTY_FILE


def test_cancel_ends_decoding(bench: steps_bench.Bench, handler: PrepareHandler) -> None:
    source = bench.upload(CONVERSATION)
    marker = blobs.cancel_marker_path(tenant_id=steps_bench.TENANT, job_id=steps_bench.JOB, run=1)
    bench.store.put(blobs.Container.WORK, marker, b"")
    with pytest.raises(errors.StepCancelledError):
        bench.prepare(handler, source)
    assert list(bench.store.paths(blobs.Container.WORK, "")) == [marker]


def test_preparing_needs_no_torch() -> None:
    code = (
        "import sys; from lid_worker.prepare import handler;"
        "prepare = handler.PrepareHandler(); prepare.load(); prepare.warm_up();"
        "print([m for m in ('torch', 'transformers', 'ctranslate2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
