"""Which model identifies languages: what LID_ENGINE and LID_MODEL name, resolved to a model and its revision.

LID_ENGINE is one of
* `transformers`: any audio-classification checkpoint whose labels are language codes
* `whisper`: the language detector of a CTranslate2 Whisper
* `assume_english`: no model; says English, with confidence 0
* `auto`: transformers where the model is a folder, cached, or on a hub that answers; else assume_english

LID_MODEL is a folder, an id of the hub or, for Whisper, a size such as `small`. The revision pins it
exactly: the hub's commit, or the hash of a folder's contents. Nothing here loads a model or imports an
engine, so that whoever starts the workers can ask as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from contracts.params import LidEngine
from lid_worker import errors
from worker_kit import hub, model_folders

AUTO: Final = "auto"
DEFAULT_MODEL: Final = "facebook/mms-lid-126"
"""126 languages. Its weights are CC-BY-NC-4.0: for commercial use choose another model, or `whisper`."""
DEFAULT_WHISPER: Final = "small"

_NEEDED: Final[Mapping[LidEngine, tuple[str, ...]]] = MappingProxyType(
    {
        LidEngine.TRANSFORMERS: ("config.json", "preprocessor_config.json"),
        LidEngine.WHISPER: ("config.json", "model.bin", "tokenizer.json"),
    }
)
_PATTERNS: Final[Mapping[LidEngine, tuple[str, ...]]] = MappingProxyType(
    {
        LidEngine.TRANSFORMERS: ("*.json", "*.safetensors"),
        LidEngine.WHISPER: ("*.json", "model.bin", "vocabulary.*"),
    }
)

ASSUMED_WARNING: Final = "The language was not identified but assumed to be English."
NO_MODEL_WARNING: Final = (
    "The language was not identified but assumed to be English: no model for it was to be had. "
    "Set LID_MODEL, or let the worker reach the hub once."
)


@dataclass(frozen=True, kw_only=True)
class ResolvedLidModel:
    """A model that can be loaded, or fetched and then loaded."""

    engine: LidEngine
    model: str
    revision: str
    path: Path | None = None
    """The folder; None for assume_english, and until `fetch`."""
    repository: str | None = None
    """The hub's id of a model from there."""
    warnings: tuple[str, ...] = ()
    """What every result says."""


def resolve(
    engine: str = AUTO,
    model: str = "",
    *,
    revision: str | None = None,
    hub_timeout_seconds: float = 5.0,
    cache: Path | None = None,
) -> ResolvedLidModel:
    """What the settings name, here and now; downloads and loads nothing.

    `model` empty is the engine's default. `revision` pins a hub model's commit; a folder must hash to it.
    Asks the hub at most once, for at most `hub_timeout_seconds`, and only for what the cache lacks.
    Raises ModelUnavailableError, retryable where the hub is away; `auto` makes assume_english of the hub's.
    """
    if engine == LidEngine.ASSUME_ENGLISH:
        return _assume_english(ASSUMED_WARNING)
    chosen = LidEngine.TRANSFORMERS if engine == AUTO else LidEngine(engine)
    name = model or (DEFAULT_WHISPER if chosen is LidEngine.WHISPER else DEFAULT_MODEL)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _from_folder(chosen, folder, revision)
    try:
        return _from_hub(chosen, name, revision, hub_timeout_seconds, cache)
    except hub.HubError as error:
        if engine == AUTO:
            return _assume_english(NO_MODEL_WARNING)
        raise errors.ModelUnavailableError(str(error), retryable=error.retryable) from error


def fetch(model: ResolvedLidModel, *, cache: Path | None = None) -> ResolvedLidModel:
    """The same model with its folder on this machine. Raises ModelUnavailableError."""
    if model.path is not None or model.repository is None:
        return model
    try:
        folder = hub.download(model.repository, model.revision, patterns=_PATTERNS[model.engine], cache=cache)
    except hub.HubError as error:
        raise errors.ModelUnavailableError(str(error)) from error
    return replace(model, path=folder)


def _from_folder(engine: LidEngine, folder: Path, revision: str | None) -> ResolvedLidModel:
    missing = [name for name in _NEEDED[engine] if not (folder / name).is_file()]
    if missing:
        raise errors.ModelUnavailableError(
            f"The folder {folder} is no model for {engine}: no {missing[0]}.", retryable=False
        )
    found = model_folders.revision_of(folder)
    if revision not in (None, found):
        raise errors.ModelUnavailableError(
            f"The folder {folder} holds revision {found}, not {revision}.", retryable=False
        )
    return ResolvedLidModel(engine=engine, model=folder.resolve().name, revision=found, path=folder.resolve())


def _from_hub(
    engine: LidEngine, name: str, revision: str | None, timeout_seconds: float, cache: Path | None
) -> ResolvedLidModel:
    repository = model_folders.WHISPER_REPOSITORIES.get(name, name) if engine is LidEngine.WHISPER else name
    if not hub.is_repository_id(repository):
        raise errors.ModelUnavailableError(
            f"LID_MODEL={name} is neither a folder nor an id of the hub.", retryable=False
        )
    folder = hub.cached(repository, revision, needed=_NEEDED[engine], cache=cache)
    if folder is not None:
        # The cache names a snapshot's folder by its commit.
        return ResolvedLidModel(
            engine=engine, model=name, revision=folder.name, path=folder, repository=repository
        )
    commit = hub.commit_of(repository, revision, timeout_seconds=timeout_seconds)
    return ResolvedLidModel(engine=engine, model=name, revision=commit, repository=repository)


def _assume_english(warning: str) -> ResolvedLidModel:
    return ResolvedLidModel(engine=LidEngine.ASSUME_ENGLISH, model="none", revision="1", warnings=(warning,))
