"""A Spanish recording is translated and summarised by an endpoint, and its troubles do no harm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from contracts import jobs, results, steps
from contracts.errors import ErrorCode
from function_app import cancellations, services
from function_app.language_model import openai_model
from tests.fakes import language_model_server as fake
from tests.fakes.language_model_server import Behaviour
from tests.replay import platforms


@pytest.fixture
def server() -> Iterator[fake.Server]:
    with fake.serve() as served:
        yield served


@pytest.fixture
def platform(server: fake.Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[platforms.Platform]:
    monkeypatch.setenv("AZURE_FUNCTIONS_DURABLE_STRICT_TYPING", "1")
    built = platforms.build(language_model_base_url=server.base_url)
    built.workers.language = "es"
    built.workers.sentences = ("Hola a todos.", "El paquete llega tarde.")
    yield built
    services.use(None)


def test_translation_and_summary_are_left_as_files(platform: platforms.Platform) -> None:
    assert platform.run(jobs.Workflow.FULL_PIPELINE).output == {"status": "completed"}
    translation = results.Translation.model_validate_json(platform.results_file("translation.en.json"))
    assert translation.text == "[en] Hola a todos. [en] El paquete llega tarde."
    assert [one.id for one in translation.segments] == [0, 1]
    assert platform.results_file("translation.en.vtt").startswith(b"WEBVTT")
    summary = results.Summary.model_validate_json(platform.results_file("summary.json"))
    assert (summary.language, summary.engine) == ("en", "openai")
    assert set(platform.manifest().files) == {
        "language.json",
        *(f"transcript.{kind}" for kind in ("json", "txt", "srt", "vtt")),
        *(f"translation.en.{kind}" for kind in ("json", "txt", "srt", "vtt")),
        "summary.json",
        "summary.txt",
    }


def test_rate_limits_are_slept_over_by_the_orchestrator(
    server: fake.Server, platform: platforms.Platform
) -> None:
    server.script.extend([Behaviour.RATE_LIMITED] * 4)
    assert platform.run(jobs.Workflow.FULL_PIPELINE).output == {"status": "completed"}
    assert len(server.calls) == 6
    assert platform.step(steps.Step.TRANSLATE).attempt == 1


def test_refused_translation_leaves_the_job_partially_complete(
    server: fake.Server, platform: platforms.Platform
) -> None:
    server.script.append(Behaviour.REFUSAL)
    assert platform.run(jobs.Workflow.FULL_PIPELINE).output == {"status": "partial_complete"}
    error = platform.step(steps.Step.TRANSLATE).error
    assert error is not None
    assert error.code == ErrorCode.LANGUAGE_MODEL_REFUSED
    assert "summary.json" in platform.manifest().files


def test_endpoint_that_stays_away_costs_the_attempts_and_no_more(
    server: fake.Server, platform: platforms.Platform
) -> None:
    server.script.extend([Behaviour.SERVER_ERROR] * 20)
    assert platform.run(jobs.Workflow.FULL_PIPELINE).output == {"status": "partial_complete"}
    assert len(server.calls) == 6
    assert "transcript.json" in platform.manifest().files


def test_what_a_translation_may_have_lost_is_a_warning_of_the_job(
    server: fake.Server, platform: platforms.Platform
) -> None:
    platform.workers.sentences = ("Son 1250 euros.", "El paquete llega tarde.")
    server.loses_digits = True
    assert platform.run(jobs.Workflow.FULL_PIPELINE).output == {"status": "completed"}
    lost = "numbers of the transcript may be missing in the translation: segments 0"
    assert lost in platform.manifest().warnings


def test_cancelled_job_asks_for_no_more_pieces(
    server: fake.Server, platform: platforms.Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_model, "BATCH_SEGMENTS", 1)
    platform.workers.sentences = tuple(f"Frase {i}." for i in range(20))
    server.on_call = lambda: cancellations.cancel(platform.use, platform.job())
    platform.run(jobs.Workflow.FULL_PIPELINE)
    assert platform.job().status is jobs.JobStatus.CANCELLED
    assert 0 < len(server.calls) <= 4


def test_result_that_is_there_costs_no_second_call(server: fake.Server, platform: platforms.Platform) -> None:
    platform.run(jobs.Workflow.FULL_PIPELINE)
    calls = len(server.calls)
    given = [given for name, given in platform.hub.calls if name == "translate"]
    # As an activity sees it that runs again after its process died.
    running = replace(platform.job(), status=jobs.JobStatus.PROCESSING)
    platform.store._jobs[platforms.JOB] = running
    answer = platforms.FUNCTIONS["translate"](given=given[0])
    assert answer["status"] == "completed"
    assert len(server.calls) == calls
