"""Languages between BCP-47, Whisper's own codes, and what a model knows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from gpu_worker import engines, errors, models
from gpu_worker.engines import Clip, Engine, Options
from tests.integration.gpu_worker import chunks


@pytest.fixture(scope="module")
def before_cantonese(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A model without Cantonese, as Whisper was before large-v3."""
    folder = tmp_path_factory.mktemp("models") / "older"
    shutil.copytree(chunks.WHISPER, folder)
    for name in ("tokenizer.json", "vocabulary.json"):
        file = folder / name
        file.write_text(file.read_text(encoding="utf-8").replace("<|yue|>", "<|qqq|>"), encoding="utf-8")
    engine = engines.create(models.resolve(str(folder)), engines.Hardware(device="cpu"))
    engine.load()
    yield engine
    engine.close()


@pytest.mark.parametrize("language", ["en", "pt-BR", "zh-Hant", "jv", "fil", None])
def test_known_languages_need_no_warning(before_cantonese: Engine, language: str | None) -> None:
    assert before_cantonese.warnings_for(language) == ()


def test_cantonese_is_asked_for_as_chinese_and_the_result_says_so(before_cantonese: Engine) -> None:
    (warning,) = before_cantonese.warnings_for("yue-HK")
    assert "yue" in warning
    assert "zh" in warning
    clip = Clip(samples=chunks.read_sample("cantonese.flac"), language="yue-HK")
    (text,) = before_cantonese.transcribe([clip], Options())
    assert text.language == "yue-HK"


def test_a_language_without_a_neighbour_is_refused(before_cantonese: Engine) -> None:
    with pytest.raises(errors.LanguageUnsupportedError, match="tlh"):
        before_cantonese.warnings_for("tlh")
