"""Which model the settings name."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.params import LidEngine
from lid_worker import errors, models
from tests.unit.lid_worker import sounds
from worker_kit import hub


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub cannot be reached."""

    def away(*_: object, **__: object) -> str:
        raise hub.HubError("The hub cannot be reached.")

    monkeypatch.setattr(hub, "commit_of", away)


@pytest.mark.parametrize("engine", ["auto", "transformers"])
def test_folder_is_pinned_by_its_content(engine: str, tmp_path: Path) -> None:
    copied = shutil.copytree(sounds.LID_MODEL, tmp_path / "lid")
    first, second = models.resolve(engine, str(sounds.LID_MODEL)), models.resolve(engine, str(copied))
    assert first.engine is LidEngine.TRANSFORMERS
    assert (first.model, first.revision) == (second.model, second.revision)
    (copied / "config.json").write_text("{}")
    assert models.resolve(engine, str(copied)).revision != first.revision


def test_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.ModelUnavailableError, match=r"no config\.json"):
        models.resolve("transformers", str(tmp_path))


def test_folder_must_hash_to_the_pinned_revision() -> None:
    with pytest.raises(errors.ModelUnavailableError, match="not sha256:0"):
        models.resolve("transformers", str(sounds.LID_MODEL), revision="sha256:0")


@pytest.mark.usefixtures("no_hub")
def test_auto_assumes_english_without_cache_and_hub_and_says_so(tmp_path: Path) -> None:
    found = models.resolve("auto", cache=tmp_path)
    assert found.engine is LidEngine.ASSUME_ENGLISH
    assert found.warnings == (models.NO_MODEL_WARNING,)


@pytest.mark.usefixtures("no_hub")
def test_model_that_was_asked_for_by_name_is_not_replaced_in_silence(tmp_path: Path) -> None:
    with pytest.raises(errors.ModelUnavailableError):
        models.resolve("transformers", cache=tmp_path)


def test_hub_model_is_pinned_by_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "commit_of", lambda *_, **__: "abc123")
    found = models.resolve("auto", cache=tmp_path)
    assert (found.engine, found.model, found.revision) == (
        LidEngine.TRANSFORMERS,
        "facebook/mms-lid-126",
        "abc123",
    )
    assert found.path is None


@pytest.mark.usefixtures("no_hub")
def test_cached_model_needs_no_hub(tmp_path: Path) -> None:
    repository = tmp_path / "models--facebook--mms-lid-126"
    snapshot = repository / "snapshots" / ("c" * 40)
    shutil.copytree(sounds.LID_MODEL, snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("c" * 40)
    found = models.resolve("auto", cache=tmp_path)
    assert (found.engine, found.revision, found.path) == (LidEngine.TRANSFORMERS, "c" * 40, snapshot)


def test_whisper_engine_takes_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "commit_of", lambda *_, **__: "abc123")
    found = models.resolve("whisper", "small", cache=tmp_path)
    assert (found.engine, found.repository) == (LidEngine.WHISPER, "Systran/faster-whisper-small")


def test_name_that_is_nothing_is_refused() -> None:
    with pytest.raises(errors.ModelUnavailableError, match="neither a folder nor an id"):
        models.resolve("transformers", "no such thing")


def test_resolving_a_folder_imports_no_engine() -> None:
    code = (
        "import sys; from lid_worker import models; models.resolve('auto', sys.argv[1]);"
        "print([m for m in ('torch', 'transformers', 'ctranslate2', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(sounds.LID_MODEL)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
