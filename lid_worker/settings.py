"""What the CPU worker is told from outside; environment variables are the names in capitals."""

from typing import Annotated, Literal

from pydantic import Field

from worker_kit.settings import WorkerSettings


class Settings(WorkerSettings):
    """WorkerSettings, and which model identifies languages."""

    max_concurrent_steps: Annotated[int, Field(ge=1, le=64)] = 2
    """Recordings prepared, or languages identified, at once; about as many as there are cores."""
    lid_engine: Literal["auto", "transformers", "whisper", "assume_english"] = "auto"
    """`transformers`, `whisper`, `assume_english`, or `auto`: transformers where its model can be had."""
    lid_model: str = ""
    """A folder, an id of the hub or, for `whisper`, a size; empty: facebook/mms-lid-126 or `small`.

    The weights of facebook/mms-lid-126 are licensed CC-BY-NC-4.0: not for commercial use. With
    LID_ENGINE=whisper the detector of a Whisper model (MIT) takes its place."""
    lid_model_revision: str = ""
    """Commit that pins a model of the hub, or the hash of a folder; empty: what is there."""
    lid_torch_threads: Annotated[int, Field(ge=1, le=256)] = 1
    """Threads of PyTorch, or of Whisper, for one clip."""
    hub_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    """How long to wait for the hub before doing without it."""
