"""Clips reach the engine in batches, and callers take turns."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from contracts.params import TranscriptionEngine
from gpu_worker import batches
from gpu_worker.engines import Clip, ClipText, Options, Verdict
from gpu_worker.models import ResolvedModel


class CountingEngine:
    """Answers with each clip's language; notices when two callers are inside at once."""

    def __init__(self) -> None:
        self.model = ResolvedModel(engine=TranscriptionEngine.WHISPER, model="counting", revision="1")
        self.uses_gpu = False
        self.batch_windows = 3
        self.sizes: list[int] = []
        self._inside = threading.Lock()

    def load(self) -> None: ...

    def warm_up(self) -> None: ...

    def warnings_for(self, _language: str | None, /) -> tuple[str, ...]:
        return ()

    def close(self) -> None: ...

    def transcribe(self, clips: Sequence[Clip], _options: Options, /) -> list[ClipText]:
        assert self._inside.acquire(blocking=False), "two callers at once"
        try:
            self.sizes.append(len(clips))
            return [ClipText(language=clip.language or "", verdict=Verdict.NO_TEXT) for clip in clips]
        finally:
            self._inside.release()


def _clips(count: int, prefix: str = "") -> list[Clip]:
    return [Clip(samples=np.zeros(16, np.float32), language=f"{prefix}{index}") for index in range(count)]


def test_answers_come_in_the_order_of_the_clips() -> None:
    engine = CountingEngine()
    done: list[int] = []
    answer = batches.Batcher(engine).transcribe(_clips(7), Options(), between=done.append)
    assert [text.language for text in answer.texts] == [str(index) for index in range(7)]
    assert engine.sizes == [3, 3, 1]
    assert done == [0, 3, 6]
    assert answer.batches == 3


def test_no_clips_need_no_engine() -> None:
    engine = CountingEngine()
    answer = batches.Batcher(engine).transcribe([], Options(), between=lambda _: None)
    assert (answer.texts, engine.sizes) == ((), [])


def test_a_cancelled_chunk_stops_before_its_next_batch() -> None:
    engine = CountingEngine()

    def cancelled(done: int) -> None:
        if done:
            raise KeyError("cancelled")

    with pytest.raises(KeyError):
        batches.Batcher(engine).transcribe(_clips(9), Options(), between=cancelled)
    assert engine.sizes == [3]


def test_two_callers_never_meet_in_the_engine() -> None:
    batcher = batches.Batcher(CountingEngine())
    answers: dict[str, list[str]] = {}

    def work(name: str) -> None:
        found = batcher.transcribe(_clips(200, name), Options(), between=lambda _: None)
        answers[name] = [text.language for text in found.texts]

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == {name: [f"{name}{index}" for index in range(200)] for name in ("a", "b")}
