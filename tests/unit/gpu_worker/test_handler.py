"""The handler loads the model that it is pinned to, or none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gpu_worker import models
from gpu_worker.handler import TranscribeHandler
from tests.unit.gpu_worker.test_batches import CountingEngine
from tests.unit.lid_worker import sounds
from worker_kit import model_folders


class LoadingEngine(CountingEngine):
    """Its model's files change while it loads, when they are to."""

    def __init__(self, folder: Path, *, changes: bool) -> None:
        super().__init__()
        self.model = models.resolve(str(folder))
        self._changed_file = folder / "config.json" if changes else None

    def load(self) -> None:
        if self._changed_file is not None:
            self._changed_file.write_text("{}")


def test_model_that_changes_while_it_is_loaded_is_not_taken_for_what_it_was(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(sounds.WHISPER_MODEL, tmp_path / "model"))
    TranscribeHandler(LoadingEngine(folder, changes=False)).load()
    with pytest.raises(model_folders.ModelChangedError):
        TranscribeHandler(LoadingEngine(folder, changes=True)).load()
