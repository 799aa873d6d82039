"""Which model transcribes: what WHISPER_MODEL names, resolved to an engine, a folder and a revision.

A setting is one of
* `auto`: a real Whisper from the cache or the hub (large-v3-turbo with a GPU, small without); where neither
  is to be had, pocketsphinx, with a warning that every result repeats
* `pocketsphinx`
* a folder with a CTranslate2 Whisper
* a size such as `small`, or the hub id of a CTranslate2 Whisper

The revision pins a model exactly: the hub's commit, or the hash of a folder's contents. Nothing here loads
a model or imports an engine, so that whoever starts the workers can ask as well.
"""

import importlib.metadata
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Final

import pydantic

from contracts.params import TranscriptionEngine
from gpu_worker import errors
from worker_kit import hub, model_folders

AUTO: Final = "auto"
POCKETSPHINX: Final = "pocketsphinx"
_AUTO_WITH_GPU, _AUTO_WITHOUT_GPU = "large-v3-turbo", "small"
_PROPERTIES_FILE: Final = "speechflow.json"
_NEEDED_FILES: Final = ("config.json", "model.bin", "tokenizer.json")
"""Without tokenizer.json faster-whisper would fetch another model's from the hub."""
_PATTERNS: Final = (*_NEEDED_FILES, "vocabulary.*", "preprocessor_config.json")

ROUGH_WARNING: Final = "Transcribed by pocketsphinx, which knows English only and makes many mistakes."
NO_WHISPER_WARNING: Final = (
    "Transcribed by pocketsphinx, which knows English only and makes many mistakes: no Whisper model was "
    "to be had. Set WHISPER_MODEL, or let the worker reach the hub once."
)


class ModelProperties(pydantic.BaseModel):
    """How a model wants its windows; kept beside it in speechflow.json, real models have none."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    longest_window_seconds: Annotated[float, pydantic.Field(ge=2, le=30)] = 30.0
    """The most that the model transcribes well at once."""
    join_gap_seconds: Annotated[float, pydantic.Field(ge=0, le=30)] = 2.0
    """Speech with more silence than this in between goes into windows of its own."""
    margin_seconds: Annotated[float, pydantic.Field(ge=0, le=0.5)] = 0.2
    """Sound kept before and after the speech of a window."""


@dataclass(frozen=True, kw_only=True)
class ResolvedModel:
    """A model that can be loaded, or fetched and then loaded."""

    engine: TranscriptionEngine
    model: str
    revision: str
    path: Path | None = None
    """The folder; None for pocketsphinx, whose model is in its package, and until `fetch`."""
    repository: str | None = None
    """The hub's id of a model from there."""
    properties: ModelProperties = field(default_factory=ModelProperties)
    warnings: tuple[str, ...] = ()
    """What every result made with this model says."""

    @property
    def longest_window_seconds(self) -> float:
        """The most that the model transcribes well at once."""
        return self.properties.longest_window_seconds


def resolve(
    whisper_model: str = AUTO,
    *,
    revision: str | None = None,
    has_gpu: bool | None = None,
    hub_timeout_seconds: float = 5.0,
    cache: Path | None = None,
) -> ResolvedModel:
    """What `whisper_model` names, here and now; downloads and loads nothing.

    `revision` pins a model of the hub; `has_gpu` None looks for one; `cache` None is the hub's usual folder.
    Asks the hub at most once, for at most `hub_timeout_seconds`, and only for what the cache lacks.
    Raises ModelNotFoundError, and ModelUnreachableError unless the setting is `auto`.
    """
    if whisper_model == POCKETSPHINX:
        return _pocketsphinx(warnings=(ROUGH_WARNING,))
    if whisper_model == AUTO:
        return _automatic(
            revision=revision, has_gpu=has_gpu, hub_timeout_seconds=hub_timeout_seconds, cache=cache
        )
    folder = Path(whisper_model).expanduser()
    if whisper_model and folder.is_dir():
        return _from_folder(folder)
    repository = model_folders.WHISPER_REPOSITORIES.get(whisper_model, whisper_model)
    if not hub.is_repository_id(repository):
        raise errors.ModelNotFoundError(
            f"WHISPER_MODEL={whisper_model} is neither a folder, nor a known size, nor an id of the hub."
        )
    return _from_hub(whisper_model, repository, revision, hub_timeout_seconds, cache)


def fetch(model: ResolvedModel, *, cache: Path | None = None) -> ResolvedModel:
    """The same model with its folder on this machine. Raises ModelUnreachableError, ModelNotFoundError."""
    if model.path is not None or model.repository is None:
        return model
    with _hub_errors():
        folder = hub.download(model.repository, model.revision, patterns=_PATTERNS, cache=cache)
    _check_folder(folder)
    return replace(model, path=folder, properties=_read_properties(folder))


def gpu_present() -> bool:
    """Whether CTranslate2 sees a CUDA device."""
    import ctranslate2

    return int(ctranslate2.get_cuda_device_count()) > 0


def _automatic(
    *, revision: str | None, has_gpu: bool | None, hub_timeout_seconds: float, cache: Path | None
) -> ResolvedModel:
    name = _AUTO_WITH_GPU if (gpu_present() if has_gpu is None else has_gpu) else _AUTO_WITHOUT_GPU
    try:
        return _from_hub(name, model_folders.WHISPER_REPOSITORIES[name], revision, hub_timeout_seconds, cache)
    except errors.ModelUnreachableError:
        return _pocketsphinx(warnings=(NO_WHISPER_WARNING,))


def _from_hub(
    name: str, repository: str, revision: str | None, timeout_seconds: float, cache: Path | None
) -> ResolvedModel:
    folder = hub.cached(repository, revision, needed=_NEEDED_FILES, cache=cache)
    if folder is None:
        with _hub_errors():
            commit = hub.commit_of(repository, revision, timeout_seconds=timeout_seconds)
        return ResolvedModel(
            engine=TranscriptionEngine.WHISPER, model=name, revision=commit, repository=repository
        )
    return ResolvedModel(
        engine=TranscriptionEngine.WHISPER,
        model=name,
        revision=folder.name,  # the cache names a snapshot's folder by its commit
        path=folder,
        repository=repository,
        properties=_read_properties(folder),
    )


@contextmanager
def _hub_errors() -> Iterator[None]:
    try:
        yield
    except hub.NotInHubError as error:
        raise errors.ModelNotFoundError(str(error)) from error
    except hub.HubError as error:
        raise errors.ModelUnreachableError(str(error)) from error


def _from_folder(folder: Path) -> ResolvedModel:
    _check_folder(folder)
    return ResolvedModel(
        engine=TranscriptionEngine.WHISPER,
        model=folder.resolve().name,
        revision=model_folders.revision_of(folder),
        path=folder.resolve(),
        properties=_read_properties(folder),
    )


def _pocketsphinx(*, warnings: tuple[str, ...]) -> ResolvedModel:
    return ResolvedModel(
        engine=TranscriptionEngine.POCKETSPHINX,
        model="pocketsphinx-en-us",
        revision=importlib.metadata.version("pocketsphinx"),
        warnings=warnings,
    )


def _check_folder(folder: Path) -> None:
    missing = [name for name in _NEEDED_FILES if not (folder / name).is_file()]
    if missing:
        raise errors.ModelNotFoundError(
            f"The folder {folder} is no CTranslate2 Whisper: it has no {missing[0]}."
        )


def _read_properties(folder: Path) -> ModelProperties:
    file = folder / _PROPERTIES_FILE
    if not file.is_file():
        return ModelProperties()
    try:
        return ModelProperties.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except ValueError as error:
        raise errors.ModelNotFoundError(f"{file} cannot be read: {error}") from error
