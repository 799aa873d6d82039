"""Files on their way to storage."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from client import connection, errors, uploads
from tests.unit.client import answers

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    path.write_bytes(CONTENT)
    return path


def _server(handler: answers.Handler) -> connection.Connection:
    return connection.Connection(answers.URL, transport=httpx.MockTransport(handler), sleep=lambda _: None)


def test_small_file_goes_up_in_one_put_of_known_length(recording: Path) -> None:
    seen: list[httpx.Request] = []

    def storage(request: httpx.Request) -> httpx.Response:
        request.read()
        seen.append(request)
        return httpx.Response(201)

    sent: list[int] = []
    uploads.upload(_server(storage), recording, answers.created(), on_bytes=sent.append)
    (request,) = seen
    assert request.content == CONTENT
    assert request.headers["content-length"] == str(len(CONTENT))
    assert "transfer-encoding" not in request.headers
    assert request.headers["x-ms-blob-type"] == "BlockBlob"
    assert sent[-1] == len(CONTENT)


def test_large_file_goes_up_in_blocks_that_are_then_listed(recording: Path) -> None:
    blocks: dict[str, bytes] = {}
    lists: list[httpx.Request] = []

    def storage(request: httpx.Request) -> httpx.Response:
        assert request.url.params["sig"] == "x"
        if request.url.params["comp"] == "block":
            blocks[request.url.params["blockid"]] = request.read()
        else:
            request.read()
            lists.append(request)
        return httpx.Response(201)

    uploads.upload(_server(storage), recording, answers.created(), single_put_bytes=100, block_bytes=4096)
    (listed,) = lists
    assert b"".join(blocks.values()) == CONTENT
    named = [part.split("</Latest>")[0] for part in listed.content.decode().split("<Latest>")[1:]]
    assert named == list(blocks)
    assert listed.headers["x-ms-blob-content-type"] == "audio/wav"
    assert "x-ms-blob-type" not in listed.headers


def test_put_that_breaks_off_is_sent_again_from_the_start(recording: Path) -> None:
    bodies: list[bytes] = []

    def storage(request: httpx.Request) -> httpx.Response:
        bodies.append(request.read())
        if len(bodies) == 1:
            raise httpx.WriteError("reset", request=request)
        return httpx.Response(201)

    uploads.upload(_server(storage), recording, answers.created())
    assert bodies == [CONTENT, CONTENT]


def test_blob_that_an_earlier_attempt_wrote_counts_as_uploaded(recording: Path) -> None:
    replies = iter(
        [httpx.Response(503), httpx.Response(409, headers={"x-ms-error-code": "BlobAlreadyExists"})]
    )
    uploads.upload(_server(lambda _: next(replies)), recording, answers.created())
    assert next(replies, None) is None


@pytest.mark.parametrize("status", [408, 500])
def test_storage_that_was_too_slow_is_asked_again(recording: Path, status: int) -> None:
    replies = iter([httpx.Response(status), httpx.Response(201)])
    uploads.upload(_server(lambda _: next(replies)), recording, answers.created())
    assert next(replies, None) is None


def test_file_that_becomes_shorter_meanwhile_is_named(recording: Path) -> None:
    def storage(request: httpx.Request) -> httpx.Response:
        request.read()
        return httpx.Response(201)

    def shorten(_sent_bytes: int) -> None:
        recording.write_bytes(b"")

    recording.write_bytes(b"0" * (uploads.READ_BYTES + 1))
    with pytest.raises(errors.FileUnreadableError, match="shorter while it was sent"):
        uploads.upload(_server(storage), recording, answers.created(), on_bytes=shorten)


def test_refused_upload_names_the_job_and_what_to_do(recording: Path) -> None:
    refusal = httpx.Response(403, headers={"x-ms-error-code": "AuthenticationFailed"})
    with pytest.raises(
        errors.UploadFailedError, match=r"job job-1 failed: storage answered 403 AuthenticationFailed.*again"
    ):
        uploads.upload(_server(lambda _: refusal), recording, answers.created())
