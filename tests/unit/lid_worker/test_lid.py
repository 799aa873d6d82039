"""The step `lid`: clips, votes, engines, pinned models."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import blobs, messages, results
from contracts.errors import ErrorCode
from contracts.params import LidEngine
from lid_worker import models
from lid_worker.lid import clips, engines, voting
from lid_worker.lid.handler import NO_SPEECH_WARNING, LidHandler
from lid_worker.prepare.handler import PrepareHandler
from tests.unit.lid_worker import sounds, steps_bench
from worker_kit import errors, model_folders


class ScriptedEngine:
    """Says what it is told, clip after clip, and keeps what it heard."""

    def __init__(self, *answers: Mapping[str, float] | Exception) -> None:
        self.heard: list[engines.Sound] = []
        self._answers = list(answers)

    def load(self) -> None:
        """Nothing to load."""

    def identify(self, sound: engines.Sound) -> Mapping[str, float]:
        self.heard.append(sound)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


SCRIPTED = models.ResolvedLidModel(engine=LidEngine.TRANSFORMERS, model="scripted", revision="r1")


@pytest.fixture(scope="module")
def preparer() -> PrepareHandler:
    loaded = PrepareHandler()
    loaded.load()
    return loaded


@pytest.fixture
def bench(tmp_path: Path) -> steps_bench.Bench:
    return steps_bench.Bench(workspace=tmp_path)


def identified(
    bench: steps_bench.Bench, handler: LidHandler, plan: blobs.BlobReference, **wanted: object
) -> results.LanguageResult:
    pinned = {"engine": SCRIPTED.engine, "model": SCRIPTED.model, "revision": SCRIPTED.revision}
    answer = bench.handle(handler, steps_bench.lid_request(plan, **{**pinned, **wanted}))
    assert isinstance(answer.result, results.LanguageResult)
    return answer.result


def test_model_that_changes_while_it_is_loaded_is_not_taken_for_what_it_was(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(sounds.LID_MODEL, tmp_path / "model"))
    model = models.resolve("transformers", str(folder))
    LidHandler(model, ScriptedEngine()).load()
    (folder / "config.json").write_text("{}")
    with pytest.raises(model_folders.ModelChangedError):
        LidHandler(model, ScriptedEngine()).load()


def test_clips_come_from_all_over_the_recording_and_hold_speech_alone(
    bench: steps_bench.Bench, preparer: PrepareHandler
) -> None:
    source = bench.upload((sounds.SAMPLES / "english-conversation.flac").read_bytes())
    plan, stored = bench.prepare(preparer, source, longest_chunk_seconds=20)
    engine = ScriptedEngine(*[{"en": 0.9, "es": 0.1}] * 3)
    found = identified(bench, LidHandler(SCRIPTED, engine), stored, most_clips=3, clip_seconds=4)
    assert [len(sound) for sound in engine.heard] == [4 * 16000] * 3
    assert found.votes[0].start < 18 < found.votes[1].start < 36 < found.votes[2].start
    assert len(plan.chunks) >= 3


def test_clips_vote_by_probability_and_length(bench: steps_bench.Bench, preparer: PrepareHandler) -> None:
    source = bench.upload((sounds.SAMPLES / "english-conversation.flac").read_bytes())
    _, stored = bench.prepare(preparer, source)
    engine = ScriptedEngine({"es": 0.5, "en": 0.4}, {"es": 0.5, "en": 0.4}, {"en": 1.0})
    found = identified(bench, LidHandler(SCRIPTED, engine), stored, most_clips=3, clip_seconds=10)
    assert [vote.language for vote in found.votes] == ["es", "es", "en"]
    assert (found.language, round(found.confidence, 3)) == ("en", 0.6)


def test_recording_without_speech_has_no_language(bench: steps_bench.Bench) -> None:
    plan = results.ChunkPlan(
        source=results.SourceFacts(
            content_hash="sha256:" + "0" * 64,
            size_bytes=1,
            container_format="wav",
            audio_codec="pcm_s16le",
            sample_rate_hz=16000,
            channels=1,
            audio_tracks=1,
        ),
        audio_seconds=3.0,
        speech_seconds=0.0,
        chunks=(),
    )
    stored = bench.store.put(blobs.Container.RESULTS, "plan", plan.model_dump_json().encode())
    found = identified(bench, LidHandler(SCRIPTED, ScriptedEngine()), stored)
    assert (found.language, found.confidence, found.warnings) == ("und", 0.0, (NO_SPEECH_WARNING,))


def test_assumed_english_says_so_and_any_worker_can(
    bench: steps_bench.Bench, preparer: PrepareHandler
) -> None:
    _, stored = bench.prepare(preparer, bench.upload((sounds.SAMPLES / "spanish.flac").read_bytes()))
    pinned = {"engine": LidEngine.ASSUME_ENGLISH, "model": "none", "revision": "1"}
    found = identified(bench, LidHandler(SCRIPTED, ScriptedEngine()), stored, **pinned)
    assert (found.language, found.confidence) == ("en", 0.0)
    assert found.warnings == (models.ASSUMED_WARNING,)


@pytest.mark.parametrize("other", [{"revision": "r2"}, {"engine": LidEngine.WHISPER}])
def test_request_pinned_to_another_model_is_refused_for_now(
    bench: steps_bench.Bench, other: dict[str, object]
) -> None:
    stored = bench.store.put(blobs.Container.RESULTS, "plan", b"{}")
    with pytest.raises(errors.StepError) as caught:
        identified(bench, LidHandler(SCRIPTED, ScriptedEngine()), stored, **other)
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.MODEL_MISMATCH, True)


def test_engine_that_fails_may_be_tried_again(bench: steps_bench.Bench, preparer: PrepareHandler) -> None:
    _, stored = bench.prepare(preparer, bench.upload((sounds.SAMPLES / "spanish.flac").read_bytes()))
    with pytest.raises(errors.StepError) as caught:
        identified(bench, LidHandler(SCRIPTED, ScriptedEngine(RuntimeError("x"))), stored)
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.ENGINE_FAILED, True)


@pytest.mark.parametrize(
    ("left", "code", "sentence"),
    [
        (None, ErrorCode.SOURCE_MISSING, "no longer there: run the job again"),
        (b"other", ErrorCode.SOURCE_CHANGED, "was overwritten: run the job again"),
    ],
    ids=["gone", "overwritten"],
)
def test_chunks_that_are_not_what_was_planned_are_named(
    bench: steps_bench.Bench, preparer: PrepareHandler, left: bytes | None, code: ErrorCode, sentence: str
) -> None:
    plan, stored = bench.prepare(preparer, bench.upload((sounds.SAMPLES / "spanish.flac").read_bytes()))
    bench.store.delete(blobs.Container.WORK, plan.chunks[0].audio.path)
    if left is not None:
        bench.store.put(blobs.Container.WORK, plan.chunks[0].audio.path, left)
    with pytest.raises(errors.StepError, match=sentence) as caught:
        identified(bench, LidHandler(SCRIPTED, ScriptedEngine({"en": 1.0})), stored)
    assert (caught.value.code, caught.value.retryable) == (code, False)


@st.composite
def plans(draw: st.DrawFn) -> list[results.PlannedChunk]:
    """Chunks with speech, in order."""
    place, chunks = 0.0, []
    for index in range(draw(st.integers(1, 5))):
        spans = []
        for _ in range(draw(st.integers(1, 5))):
            start = place + draw(st.floats(0.1, 5))
            place = start + draw(st.floats(0.2, 40))
            spans.append(messages.Span(start=start, end=place))
        chunks.append(
            results.PlannedChunk(
                index=index,
                start=spans[0].start,
                end=spans[-1].end,
                speech=tuple(spans),
                audio=blobs.BlobReference(container=blobs.Container.WORK, path=str(index)),
            )
        )
    return chunks


@given(plans(), st.integers(1, 8), st.floats(1, 30))
def test_clips_are_few_short_in_order_and_inside_the_speech(
    chunks: list[results.PlannedChunk], most_clips: int, clip_seconds: float
) -> None:
    chosen = clips.choose(chunks, most_clips=most_clips, clip_seconds=clip_seconds)
    assert 1 <= len(chosen) <= most_clips
    assert all(clip.speech_seconds <= clip_seconds + 1e-6 for clip in chosen)
    assert all(a.end <= b.start + 1e-9 for a, b in itertools.pairwise(chosen))
    for clip in chosen:
        for span in clip.speech:
            assert any(s.start <= span.start and span.end <= s.end + 1e-9 for s in clip.chunk.speech)


def test_of_equally_probable_languages_the_answer_is_always_the_same() -> None:
    assert voting.best({"es": 0.5, "en": 0.5}) == voting.best({"en": 0.5, "es": 0.5})


def test_sound_that_is_identified_is_between_minus_one_and_one(
    bench: steps_bench.Bench, preparer: PrepareHandler
) -> None:
    _, stored = bench.prepare(preparer, bench.upload((sounds.SAMPLES / "spanish.flac").read_bytes()))
    engine = ScriptedEngine({"es": 1.0})
    identified(bench, LidHandler(SCRIPTED, engine), stored)
    assert engine.heard[0].dtype == np.float32
    assert 0.05 < np.abs(engine.heard[0]).max() <= 1.0
