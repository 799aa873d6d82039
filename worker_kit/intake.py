"""From a message's bytes to a request, or the reason why it is none."""

import json
from collections.abc import Collection

import pydantic

from contracts import contract, messages, steps
from contracts.errors import ErrorCode
from worker_kit import errors

_SHOWN_PROBLEMS = 5


def parse_request(body: bytes, handled: Collection[steps.Step]) -> messages.StepRequest:
    """Raises MessageRejectedError with a reason that people understand."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise errors.MessageRejectedError(ErrorCode.INVALID_MESSAGE, "The message is not JSON.") from error
    _check_version(document)
    request = _validated(document)
    if request.step not in handled:
        raise errors.MessageRejectedError(
            ErrorCode.INVALID_MESSAGE,
            f"The message is in the wrong queue: this worker does {', '.join(sorted(handled))}, "
            f"not {request.step}.",
        )
    if request.params.step is not request.step:
        raise errors.MessageRejectedError(
            ErrorCode.INVALID_MESSAGE,
            f"A {request.step} request carries parameters for {request.params.step}.",
        )
    return request


def _check_version(document: object) -> None:
    if not isinstance(document, dict):
        raise errors.MessageRejectedError(ErrorCode.INVALID_MESSAGE, "The message is not a JSON object.")
    version = document.get("schema_version", contract.SCHEMA_VERSION)
    if version != contract.SCHEMA_VERSION:
        raise errors.MessageRejectedError(
            ErrorCode.SCHEMA_VERSION_UNSUPPORTED,
            f"The message has schema version {version!r}; this worker reads {contract.SCHEMA_VERSION}. "
            "Bring worker and function app to the same release, then send it again.",
        )


def _validated(document: object) -> messages.StepRequest:
    try:
        return messages.StepRequest.model_validate_json(json.dumps(document))
    except pydantic.ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            # Without the offending values: they may be anything.
            for problem in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        shown = "; ".join(problems[:_SHOWN_PROBLEMS])
        raise errors.MessageRejectedError(
            ErrorCode.INVALID_MESSAGE, f"The message is not a step request: {shown}."
        ) from error
