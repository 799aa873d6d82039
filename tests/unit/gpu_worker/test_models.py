"""WHISPER_MODEL names a model, and the model has one revision."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.errors import ErrorCode
from contracts.params import TranscriptionEngine
from gpu_worker import errors, models
from worker_kit import hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def _write_model(folder: Path, *, weights: bytes = b"weights", properties: str | None = None) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.bin").write_bytes(weights)
    if properties is not None:
        (folder / "speechflow.json").write_text(properties)
    return folder


def _cache_with(cache: Path, repository: str) -> Path:
    """The hub's cache as huggingface_hub lays it out."""
    base = cache / f"models--{repository.replace('/', '--')}"
    (base / "refs").mkdir(parents=True)
    (base / "refs" / "main").write_text(COMMIT)
    _write_model(base / "snapshots" / COMMIT)
    return cache


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that cannot be reached."""

    def unreachable(repository: str, revision: str | None, *, timeout_seconds: float) -> str:
        raise hub.HubError

    monkeypatch.setattr(hub, "commit_of", unreachable)


def test_a_folders_revision_follows_its_contents_and_not_its_place(tmp_path: Path) -> None:
    first = models.resolve(str(_write_model(tmp_path / "one" / "voice")))
    copied = models.resolve(str(shutil.copytree(tmp_path / "one" / "voice", tmp_path / "two" / "voice")))
    other = models.resolve(str(_write_model(tmp_path / "three" / "voice", weights=b"other weights")))
    assert first.revision == copied.revision != other.revision
    assert (first.engine, first.model) == (TranscriptionEngine.WHISPER, "voice")
    assert first.path == tmp_path / "one" / "voice"


def test_a_model_without_properties_hears_thirty_seconds(tmp_path: Path) -> None:
    assert models.resolve(str(_write_model(tmp_path / "voice"))).longest_window_seconds == 30.0


def test_properties_beside_a_model_count_and_are_part_of_its_revision(tmp_path: Path) -> None:
    plain = models.resolve(str(_write_model(tmp_path / "plain")))
    text = json.dumps({"longest_window_seconds": 9.0, "join_gap_seconds": 0.25})
    tuned = models.resolve(str(_write_model(tmp_path / "tuned", properties=text)))
    assert (tuned.longest_window_seconds, tuned.properties.join_gap_seconds) == (9.0, 0.25)
    assert tuned.revision != plain.revision


@pytest.mark.parametrize(
    "properties",
    ["{", '{"longest_window_seconds": 600}', '{"longest_windows": 9}'],
    ids=["json", "range", "name"],
)
def test_wrong_properties_are_refused_by_name(tmp_path: Path, properties: str) -> None:
    with pytest.raises(errors.ModelNotFoundError, match=r"speechflow\.json"):
        models.resolve(str(_write_model(tmp_path / "voice", properties=properties)))


@pytest.mark.parametrize("missing", ["model.bin", "config.json", "tokenizer.json"])
def test_a_folder_that_lacks_a_file_is_refused_by_name(tmp_path: Path, missing: str) -> None:
    folder = _write_model(tmp_path / "voice")
    (folder / missing).unlink()
    with pytest.raises(errors.ModelNotFoundError, match=missing) as caught:
        models.resolve(str(folder))
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.MODEL_UNAVAILABLE, False)


@pytest.mark.parametrize("name", ["enormous", "./nowhere", "/nowhere/at/all", "a b/c", ""])
def test_a_name_that_means_nothing_is_refused(name: str) -> None:
    with pytest.raises(errors.ModelNotFoundError, match="WHISPER_MODEL"):
        models.resolve(name)


@pytest.mark.parametrize(
    ("has_gpu", "repository", "name"),
    [
        (False, "Systran/faster-whisper-small", "small"),
        (True, "mobiuslabsgmbh/faster-whisper-large-v3-turbo", "large-v3-turbo"),
    ],
)
def test_auto_takes_what_the_cache_has_for_the_device(
    tmp_path: Path,
    no_hub: None,
    has_gpu: bool,  # noqa: FBT001 - a table
    repository: str,
    name: str,
) -> None:
    found = models.resolve("auto", has_gpu=has_gpu, cache=_cache_with(tmp_path, repository))
    assert (found.engine, found.model, found.revision) == (TranscriptionEngine.WHISPER, name, COMMIT)
    assert found.path is not None
    assert found.path.name == COMMIT
    assert found.warnings == ()


def test_auto_without_cache_or_hub_is_pocketsphinx_and_says_so(tmp_path: Path, no_hub: None) -> None:
    found = models.resolve("auto", has_gpu=False, cache=tmp_path)
    assert (found.engine, found.path) == (TranscriptionEngine.POCKETSPHINX, None)
    assert "English" in found.warnings[0]
    assert "WHISPER_MODEL" in found.warnings[0]


def test_a_named_model_is_never_replaced_by_pocketsphinx(tmp_path: Path, no_hub: None) -> None:
    with pytest.raises(errors.ModelUnreachableError) as caught:
        models.resolve("small", cache=tmp_path)
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.MODEL_UNAVAILABLE, True)


def test_an_incomplete_snapshot_is_not_taken_from_the_cache(tmp_path: Path, no_hub: None) -> None:
    cache = _cache_with(tmp_path, "Systran/faster-whisper-small")
    next(cache.rglob("model.bin")).unlink()
    with pytest.raises(errors.ModelUnreachableError):
        models.resolve("small", cache=cache)


def test_pocketsphinx_by_name_warns_as_well() -> None:
    found = models.resolve("pocketsphinx")
    assert found.engine is TranscriptionEngine.POCKETSPHINX
    assert found.warnings


def test_resolving_imports_no_engine() -> None:
    script = (
        "import sys; from gpu_worker import models; models.resolve('pocketsphinx');"
        "heavy = ('torch', 'ctranslate2', 'faster_whisper', 'numpy', 'av');"
        "print([name for name in heavy if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
