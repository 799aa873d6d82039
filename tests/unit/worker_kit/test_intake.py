"""What is not a request is refused with a reason that people understand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contracts import params, steps
from contracts.errors import ErrorCode
from tests.unit.worker_kit import builders
from worker_kit import errors, intake

HANDLED = frozenset({steps.Step.PREPARE, steps.Step.LID})


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(builders.body(builders.request())), **fields}).encode()


def test_request_comes_out_as_it_was_sent() -> None:
    request = builders.request()
    assert intake.parse_request(builders.body(request), HANDLED) == request


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        pytest.param(b"\xff\x00", ErrorCode.INVALID_MESSAGE, "not JSON", id="bytes"),
        pytest.param(b"[" * 100_000, ErrorCode.INVALID_MESSAGE, "not JSON", id="deeply-nested"),
        pytest.param(b"[]", ErrorCode.INVALID_MESSAGE, "not a JSON object", id="list"),
        pytest.param(b"{}", ErrorCode.INVALID_MESSAGE, "tenant_id: Field required", id="empty"),
        pytest.param(
            changed(schema_version=2),
            ErrorCode.SCHEMA_VERSION_UNSUPPORTED,
            "schema version 2; this worker reads 1",
            id="newer",
        ),
        pytest.param(changed(run=0), ErrorCode.INVALID_MESSAGE, "run: ", id="out-of-range"),
        pytest.param(changed(extra=1), ErrorCode.INVALID_MESSAGE, "extra: ", id="unknown-field"),
        pytest.param(changed(step="transcribe"), ErrorCode.INVALID_MESSAGE, "wrong queue", id="wrong-queue"),
        pytest.param(changed(step="lid"), ErrorCode.INVALID_MESSAGE, "parameters for prepare", id="params"),
    ],
)
def test_anything_else_is_rejected_with_a_reason(body: bytes, code: ErrorCode, words: str) -> None:
    with pytest.raises(errors.MessageRejectedError, match=words) as caught:
        intake.parse_request(body, HANDLED)
    assert caught.value.code is code


def test_reason_does_not_quote_the_values() -> None:
    with pytest.raises(errors.MessageRejectedError) as caught:
        intake.parse_request(changed(attempt="a secret"), HANDLED)
    assert "secret" not in str(caught.value)


def test_params_are_typed_by_their_step() -> None:
    parsed = intake.parse_request(builders.body(builders.request()), HANDLED)
    assert isinstance(parsed.params, params.PrepareParams)
