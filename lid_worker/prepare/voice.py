"""Voice probabilities by Silero's model, as a stream."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

WINDOW_SAMPLES: Final = 512
"""The model gives one probability for each 32 ms."""
_CONTEXT_SAMPLES: Final = 64
_STATE_SHAPE: Final = (1, 1, 128)
_BATCH_WINDOWS: Final = 320
_ASSET: Final = "assets/silero_vad_v6.onnx"


class VoiceModel:
    """The network, loaded once; safe to share between threads."""

    def __init__(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = 1
        options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        self.session = onnxruntime.InferenceSession(
            str(_model_path()), providers=["CPUExecutionProvider"], sess_options=options
        )


class VoiceStream:
    """The probabilities of one recording, block by block: the same as those of the whole at once.

    The network's state, and the 64 samples before each window that it wants to see, live between the blocks.
    """

    def __init__(self, model: VoiceModel) -> None:
        self._session: Any = model.session
        self._hidden = np.zeros(_STATE_SHAPE, dtype=np.float32)
        self._cell = np.zeros(_STATE_SHAPE, dtype=np.float32)
        self._context = np.zeros(_CONTEXT_SAMPLES, dtype=np.float32)
        self._rest = np.zeros(0, dtype=np.float32)

    def feed(self, block: npt.NDArray[np.int16]) -> Iterator[float]:
        """Probabilities of the windows that are complete now."""
        sound = np.concatenate([self._rest, block.astype(np.float32) / 32768.0])
        whole = len(sound) - len(sound) % WINDOW_SAMPLES
        self._rest = sound[whole:]
        windows = sound[:whole].reshape(-1, WINDOW_SAMPLES)
        for start in range(0, len(windows), _BATCH_WINDOWS):
            yield from self._probabilities(windows[start : start + _BATCH_WINDOWS])

    def finish(self) -> Iterator[float]:
        """The probability of the last, incomplete window, filled up with silence."""
        if len(self._rest):
            padded = np.pad(self._rest, (0, WINDOW_SAMPLES - len(self._rest)))
            yield from self._probabilities(padded.reshape(1, -1))

    def _probabilities(self, windows: npt.NDArray[np.float32]) -> list[float]:
        contexts = np.vstack([self._context, windows[:-1, -_CONTEXT_SAMPLES:]])
        self._context = windows[-1, -_CONTEXT_SAMPLES:]
        output, self._hidden, self._cell = self._session.run(
            None, {"input": np.hstack([contexts, windows]), "h": self._hidden, "c": self._cell}
        )
        return [float(probability) for probability in np.asarray(output).reshape(-1)]


def _model_path() -> Path:
    # Found without importing faster_whisper, which would load CTranslate2 and, where it is there, torch.
    found = importlib.util.find_spec("faster_whisper")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError("faster-whisper, which brings the voice detection model, is not installed")
    return Path(found.submodule_search_locations[0]) / _ASSET
