"""Engines are resolved once and pinned for the app and the workers alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_stack.launcher import engines, errors


def test_fixtures_are_pinned_by_their_contents_and_nothing_else_counts() -> None:
    environment = {"WHISPER_MODEL": "large-v3", "LID_ENGINE": "whisper"}
    choice = engines.choose(engines.Profile.FIXTURES, environment)
    assert choice.app["WHISPER_MODEL"] == "whisper-ct2"
    assert choice.app["WHISPER_MODEL_REVISION"].startswith("sha256:")
    assert choice.app["LID_ENGINE"] == "transformers"
    assert choice.lid_worker["LID_MODEL_REVISION"] == choice.app["LID_MODEL_REVISION"]
    assert Path(choice.gpu_worker["WHISPER_MODEL"]).is_dir()
    assert choice.notes == ()


def test_offline_engines_are_the_same_for_app_and_workers_and_say_what_they_are() -> None:
    environment = {"WHISPER_MODEL": "pocketsphinx", "LID_ENGINE": "assume_english"}
    choice = engines.choose(engines.Profile.REAL, environment)
    assert choice.app["WHISPER_ENGINE"] == "pocketsphinx"
    assert choice.gpu_worker["WHISPER_MODEL"] == "pocketsphinx"
    assert choice.app["LID_ENGINE"] == choice.lid_worker["LID_ENGINE"] == "assume_english"
    assert any("assumed to be English" in note for note in choice.notes)
    assert "Transcription: pocketsphinx" in "\n".join(choice.lines())


@pytest.mark.parametrize(
    "environment",
    [
        {"WHISPER_MODEL": "/no/such/folder", "LID_ENGINE": "assume_english"},
        {"WHISPER_MODEL": "pocketsphinx", "LID_ENGINE": "nonsense"},
        {"WHISPER_MODEL": "pocketsphinx", "LID_ENGINE": "transformers", "LID_MODEL": "/no/such/folder"},
    ],
    ids=["no such Whisper", "no such engine", "no such lid model"],
)
def test_setting_that_names_nothing_is_told_by_its_name(environment: dict[str, str]) -> None:
    with pytest.raises(errors.EnginesUnavailableError, match=r"WHISPER_MODEL=/no|LID_ENGINE="):
        engines.choose(engines.Profile.REAL, environment)


@pytest.mark.parametrize(
    ("profile", "kept"),
    [
        (engines.Profile.REAL, {"PATH", "LANGUAGE_MODEL_BASE_URL", "WHISPER_MODEL"}),
        (engines.Profile.FIXTURES, {"PATH"}),
    ],
)
def test_settings_of_another_stack_do_not_leak_in(profile: engines.Profile, kept: set[str]) -> None:
    environment = dict.fromkeys(
        ["PATH", "AzureWebJobsStorage", "DATABASE_URL", "SERVICE_BUS_NAMESPACE", *kept], "x"
    )
    environment |= {"LANGUAGE_MODEL_BASE_URL": "x", "WHISPER_MODEL": "x"}
    assert set(engines.cleaned(profile, environment)) == kept
