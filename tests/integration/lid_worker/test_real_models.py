"""Language identification by real models, small ones, through the real libraries."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import results
from contracts.params import LidEngine
from lid_worker import models
from lid_worker.lid import engines
from lid_worker.lid.handler import LidHandler
from lid_worker.prepare.handler import PrepareHandler
from tests.unit.lid_worker import sounds, steps_bench

SPOKEN = {"english.flac": "en", "spanish.flac": "es", "mandarin.flac": "zh", "cantonese.flac": "yue"}


@pytest.fixture(scope="module", params=[LidEngine.TRANSFORMERS, LidEngine.WHISPER])
def real(request: pytest.FixtureRequest) -> tuple[models.ResolvedLidModel, LidHandler]:
    folder = sounds.LID_MODEL if request.param is LidEngine.TRANSFORMERS else sounds.WHISPER_MODEL
    model = models.resolve(request.param, str(folder))
    handler = LidHandler(model, engines.create(model, threads=1))
    handler.load()
    handler.warm_up()
    return model, handler


@pytest.fixture(scope="module")
def preparer() -> PrepareHandler:
    loaded = PrepareHandler()
    loaded.load()
    return loaded


@pytest.mark.parametrize("name", SPOKEN)
def test_models_name_the_language_of_the_samples(
    tmp_path: Path, preparer: PrepareHandler, real: tuple[models.ResolvedLidModel, LidHandler], name: str
) -> None:
    model, handler = real
    bench = steps_bench.Bench(workspace=tmp_path)
    _, plan = bench.prepare(preparer, bench.upload((sounds.SAMPLES / name).read_bytes()))
    request = steps_bench.lid_request(plan, engine=model.engine, model=model.model, revision=model.revision)
    found = bench.handle(handler, request).result
    assert isinstance(found, results.LanguageResult)
    assert found.language == SPOKEN[name]
    assert found.confidence > 0.5
    assert (found.engine, found.revision, found.warnings) == (model.engine, model.revision, ())
