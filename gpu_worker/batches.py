"""Which clips the engine sees together. The engine thinks for one caller at a time."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gpu_worker.engines import Clip, ClipText, Engine, Options


@dataclass(frozen=True, kw_only=True)
class Transcribed:
    """Answers in the order of the clips, and the time that the engine took for them."""

    texts: tuple[ClipText, ...]
    engine_seconds: float
    cpu_seconds: float
    """Of all threads while the engine worked: its own threads do the work, not the caller's."""
    batches: int


class Batcher:
    """Cuts a chunk's clips into batches of the engine's size. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()

    def transcribe(
        self, clips: Sequence[Clip], options: Options, *, between: Callable[[int], None]
    ) -> Transcribed:
        """Answers every clip. `between` gets the number of clips done before each batch and may raise.

        Callers take turns batch by batch: a short chunk does not wait for all of a long one.
        """
        texts: list[ClipText] = []
        seconds, cpu_seconds, count = 0.0, 0.0, 0
        for batch in _batches(clips, self._engine.batch_windows):
            between(len(texts))
            with self._turn:
                started, cpu_started = time.monotonic(), time.process_time()
                texts += self._engine.transcribe(batch, options)
                seconds += time.monotonic() - started
                cpu_seconds += time.process_time() - cpu_started
            count += 1
        return Transcribed(texts=tuple(texts), engine_seconds=seconds, cpu_seconds=cpu_seconds, batches=count)


def _batches(clips: Sequence[Clip], size: int) -> Iterator[Sequence[Clip]]:
    for start in range(0, len(clips), size):
        yield clips[start : start + size]
