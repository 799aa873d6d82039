"""What the transcription worker is told from outside; environment variables are the names in capitals."""

from typing import Annotated, Literal

from pydantic import Field

from worker_kit.settings import WorkerSettings


class Settings(WorkerSettings):
    """WorkerSettings, and which model runs where."""

    max_concurrent_steps: Annotated[int, Field(ge=1, le=16)] = 2
    """Chunks held at once: while one is on the device, the next is fetched and decoded."""
    whisper_model: str = "auto"
    """A folder, a size, a hub id, `pocketsphinx`, or `auto` (see docs/howto/real-models.md)."""
    whisper_model_revision: str = ""
    """Commit that pins a model of the hub; empty: what the cache has, else the newest."""
    whisper_device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where Whisper runs."""
    whisper_compute_type: str = "auto"
    """CTranslate2's compute type; auto: float16 on cuda, int8 on a CPU."""
    whisper_cpu_threads: Annotated[int, Field(ge=0, le=256)] = 0
    """Threads of Whisper on a CPU; 0: CTranslate2 decides."""
    whisper_batch_windows: Annotated[int, Field(ge=0, le=256)] = 0
    """Windows on the device at once; 0: 16 on cuda, 8 on a CPU."""
    hub_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    """How long to wait for the hub before doing without it."""
