"""Everything that people and queues hand in, changed at random: a typed answer, and nothing else.

Each for a second or two here, always with the same examples; tests/acceptance/test_fuzz.py takes minutes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import api, steps
from contracts.errors import ErrorCode
from function_app import errors as app_errors
from function_app import step_events
from function_app.drop_folder import manifests
from tests.fuzz import originals, preparer, shapes
from tests.unit.function_app import api_fixtures
from worker_kit import errors as kit_errors
from worker_kit import intake

quick = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

FILES_ENDS = {
    "",
    ErrorCode.EMPTY_FILE,
    ErrorCode.NOT_AUDIO,
    ErrorCode.NO_AUDIO_TRACK,
    ErrorCode.CORRUPT_AUDIO,
    ErrorCode.TOO_LONG,
}


@pytest.fixture(scope="module")
def served() -> Iterator[api_fixtures.Api]:
    with api_fixtures.running_api() as running:
        yield running


@quick
@given(
    body=shapes.documents(originals.SUBMISSION), kind=st.sampled_from(["application/json", "text/plain", ""])
)
def test_body_of_a_submission_is_taken_or_refused_as_a_problem(
    served: api_fixtures.Api, body: bytes, kind: str
) -> None:
    answer = served.http.post("/jobs", content=body, headers={"content-type": kind})
    if answer.status_code == 201:
        job_id = api.JobCreated.model_validate_json(answer.content).job_id
        assert api.JobView.model_validate_json(served.http.get(f"/jobs/{job_id}").content).job_id == job_id
    else:
        assert_problem(answer.status_code, answer.content)


@quick
@given(query=shapes.QUERIES)
def test_query_for_jobs_is_answered_or_refused_as_a_problem(
    served: api_fixtures.Api, query: dict[str, str]
) -> None:
    query = {name: value.encode("utf-8", "replace").decode() for name, value in query.items()}
    answer = served.http.get("/jobs", params=query)
    if answer.status_code == 200:
        api.JobList.model_validate_json(answer.content)
    else:
        assert_problem(answer.status_code, answer.content)


def assert_problem(status: int, content: bytes) -> None:
    problem = api.Problem.model_validate_json(content)
    assert 400 <= status < 500
    assert problem.status == status
    assert problem.detail


@contextlib.contextmanager
def allowed(kind: type[Exception]) -> Iterator[None]:
    """The body goes well, or ends in this error with a sentence that says why."""
    said = ""
    try:
        yield
    except kind as error:
        said = str(error)
    assert not said or len(said.split()) > 3, said


@quick
@given(body=shapes.documents(originals.request()))
def test_message_is_a_request_or_rejected_with_a_reason(body: bytes) -> None:
    with allowed(kit_errors.MessageRejectedError):
        request = intake.parse_request(body, [steps.Step.PREPARE])
        assert request.params.step is request.step is steps.Step.PREPARE


@quick
@given(body=shapes.documents(originals.event()))
def test_message_is_an_event_or_refused(body: bytes) -> None:
    with allowed(app_errors.MessageError):
        step_events.parse(body)


@quick
@given(body=shapes.documents(originals.MANIFEST))
def test_manifest_is_understood_or_rejected_with_a_sentence(body: bytes) -> None:
    with allowed(app_errors.RejectedFileError):
        manifests.parse(body)


@settings(quick, max_examples=60)
@given(data=shapes.files(originals.recordings()))
def test_damaged_file_is_prepared_or_refused_by_its_name(preparing: preparer.Preparer, data: bytes) -> None:
    assert preparing.prepare(data) in FILES_ENDS


@pytest.fixture(scope="module")
def preparing() -> Iterator[preparer.Preparer]:
    with preparer.Preparer() as started:
        yield started
