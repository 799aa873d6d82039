"""Where somebody speaks, for chunks that came without that knowledge."""

from typing import Final

from gpu_worker.audio import Chunk
from gpu_worker.engines import SAMPLE_RATE
from gpu_worker.windows import Speech

_SHORTEST_SILENCE_MILLISECONDS: Final = 160
"""Below faster-whisper's default of two seconds: windows are cut at these silences."""


def find_speech(chunk: Chunk) -> tuple[Speech, ...]:
    """Silero's spans of speech, in seconds from the start of the recording."""
    from faster_whisper import vad

    options = vad.VadOptions(min_silence_duration_ms=_SHORTEST_SILENCE_MILLISECONDS, speech_pad_ms=0)
    found = vad.get_speech_timestamps(chunk.samples, options)
    start = chunk.bounds.start
    return tuple(
        Speech(start=start + span["start"] / SAMPLE_RATE, end=start + span["end"] / SAMPLE_RATE)
        for span in found
    )
