"""Which engines do the thinking: resolved once at the start, and pinned for the app and the workers alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from contracts import params
from gpu_worker import errors as whisper_errors
from gpu_worker import models as whisper_models
from lid_worker import errors as lid_errors
from lid_worker import models as lid_models
from local_stack.launcher import errors

REPOSITORY: Final = Path(__file__).resolve().parents[2]
FIXTURE_MODELS: Final = REPOSITORY / "tests" / "fixtures" / "models"


class Profile(StrEnum):
    """What the stack is for."""

    REAL = "real"
    """Real speech: the best engines that can be had here."""
    FIXTURES = "fixtures"
    """The demo and the tests: tiny models of synthetic speech, from the repository."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The engines: as settings of each deployable, and as people read them."""

    app: Mapping[str, str]
    """Settings of the function app, which pins model and revision in every request."""
    lid_worker: Mapping[str, str]
    gpu_worker: Mapping[str, str]
    names: Mapping[str, str]
    """What does what."""
    notes: tuple[str, ...] = ()
    """What people should know of the choice."""

    def lines(self) -> list[str]:
        return [*(f"{role}: {name}" for role, name in self.names.items()), *self.notes]


NONE: Final = Choice(app={}, lid_worker={}, gpu_worker={}, names={})

_OTHER_STACKS: Final = (
    "AZUREWEBJOBS",
    "AZURE_STORAGE_",
    "STORAGE_",
    "SERVICE_BUS_",
    "DATABASE_URL",
    "FUNCTIONS_",
)
_ENGINES: Final = ("WHISPER_", "LID_", "LANGUAGE_MODEL_")


def cleaned(profile: Profile, environment: Mapping[str, str]) -> dict[str, str]:
    """Without what would point the processes to other storage, queues or databases than the stack's own.

    For the fixtures also without every setting of an engine: what they say must not depend on the machine.
    """
    ours = _OTHER_STACKS + (_ENGINES if profile is Profile.FIXTURES else ())
    return {name: value for name, value in environment.items() if not name.upper().startswith(ours)}


def choose(profile: Profile, environment: Mapping[str, str]) -> Choice:
    """The engines that the profile and the environment's settings come to, here and now.

    May ask the model hub, for seconds; downloads nothing. Raises EnginesUnavailableError.
    """
    if profile is Profile.FIXTURES:
        whisper, lid = str(FIXTURE_MODELS / "whisper-ct2"), str(FIXTURE_MODELS / "lid")
        choice = _pinned(_whisper(whisper, ""), whisper, _lid("transformers", lid, ""), lid, environment={})
        # Such small models gain nothing from a second thread, and lose much where cores are shared.
        return replace(choice, gpu_worker={**choice.gpu_worker, "WHISPER_CPU_THREADS": "1"})
    whisper = environment.get("WHISPER_MODEL") or whisper_models.AUTO
    lid = environment.get("LID_MODEL", "")
    return _pinned(
        _whisper(whisper, environment.get("WHISPER_MODEL_REVISION", "")),
        whisper,
        _lid(
            environment.get("LID_ENGINE") or lid_models.AUTO, lid, environment.get("LID_MODEL_REVISION", "")
        ),
        lid,
        environment=environment,
    )


def _whisper(setting: str, revision: str) -> whisper_models.ResolvedModel:
    try:
        return whisper_models.resolve(setting, revision=revision or None)
    except whisper_errors.ModelError as error:
        raise errors.EnginesUnavailableError(f"WHISPER_MODEL={setting}: {error}") from error


def _lid(engine: str, setting: str, revision: str) -> lid_models.ResolvedLidModel:
    try:
        return lid_models.resolve(engine, setting, revision=revision or None)
    except (lid_errors.ModelUnavailableError, ValueError) as error:
        raise errors.EnginesUnavailableError(f"LID_ENGINE={engine} LID_MODEL={setting}: {error}") from error


def _pinned(
    whisper: whisper_models.ResolvedModel,
    whisper_setting: str,
    lid: lid_models.ResolvedLidModel,
    lid_setting: str,
    *,
    environment: Mapping[str, str],
) -> Choice:
    return Choice(
        app={
            "WHISPER_ENGINE": whisper.engine,
            "WHISPER_MODEL": whisper.model,
            "WHISPER_MODEL_REVISION": whisper.revision,
            "LID_ENGINE": lid.engine,
            "LID_MODEL": lid.model,
            "LID_MODEL_REVISION": lid.revision,
        },
        gpu_worker=_gpu_worker(whisper, whisper_setting),
        lid_worker=_lid_worker(lid, lid_setting),
        names={
            "Transcription": f"{whisper.engine} {whisper.model}",
            "Language identification": f"{lid.engine} {lid.model}",
            "Translation and summaries": environment.get("LANGUAGE_MODEL_BASE_URL")
            or "offline: extractive summaries, no translation (LANGUAGE_MODEL_BASE_URL turns it on)",
        },
        notes=(*whisper.warnings, *lid.warnings, *_licence(lid)),
    )


def _gpu_worker(whisper: whisper_models.ResolvedModel, setting: str) -> dict[str, str]:
    if whisper.engine is params.TranscriptionEngine.POCKETSPHINX:
        return {"WHISPER_MODEL": whisper_models.POCKETSPHINX, "WHISPER_MODEL_REVISION": ""}
    if whisper.repository is None:
        return {"WHISPER_MODEL": setting, "WHISPER_MODEL_REVISION": ""}
    # Pinned, so that a worker that restarts later does not find a newer one.
    return {"WHISPER_MODEL": whisper.model, "WHISPER_MODEL_REVISION": whisper.revision}


def _lid_worker(lid: lid_models.ResolvedLidModel, setting: str) -> dict[str, str]:
    if lid.engine is params.LidEngine.ASSUME_ENGLISH:
        return {"LID_ENGINE": lid.engine, "LID_MODEL": "", "LID_MODEL_REVISION": ""}
    model = setting if lid.repository is None else lid.model
    return {"LID_ENGINE": lid.engine, "LID_MODEL": model, "LID_MODEL_REVISION": lid.revision}


def _licence(lid: lid_models.ResolvedLidModel) -> tuple[str, ...]:
    if lid.model != lid_models.DEFAULT_MODEL:
        return ()
    note = f"The weights of {lid.model} are licensed CC-BY-NC-4.0, not for commercial use"
    return (f"{note}; LID_ENGINE=whisper (MIT) is another choice.",)
