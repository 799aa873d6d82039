"""Manifests as people write them: each mistake has its own code and a sentence that says what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import drop_folder, jobs
from contracts.drop_folder import RejectionCode
from function_app import errors, settings
from function_app.drop_folder import manifests
from function_app.store import job_store

READ = settings.Settings.model_validate(
    {
        "database_url": "postgresql://unused",
        "azure_storage_connection_string": "unused",
        "service_bus_connection_string": "unused",
        "largest_source_bytes": 1000,
    }
)


def job(data: bytes, *, file_name: str = "a.mp3", size_bytes: int = 10) -> job_store.NewJob:
    manifest = manifests.parse(data)
    return manifests.new_job(
        manifest, path=f"folder/{file_name}", file_name=file_name, size_bytes=size_bytes, read=READ
    )


def rejection(data: bytes, **more: Any) -> drop_folder.Rejection:
    with pytest.raises(errors.RejectedFileError) as caught:
        job(data, **more)
    return caught.value.rejection


def options(**values: Any) -> bytes:
    return json.dumps(values).encode()


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"", "manifest_not_json", "it is empty"),
        (b" \n", "manifest_not_json", "it is empty"),
        (b'{"workflow": "lid_only",}', "manifest_not_json", "look at line 1, column"),
        (b"{\n 'workflow': 'lid_only'}", "manifest_not_json", "look at line 2, column 2"),
        (b"workflow: lid_only", "manifest_not_json", "look at line 1, column 1"),
        (b"[" * 100_000, "manifest_not_json", "nested too deep"),
        (b"1" * 5000, "manifest_not_json", "a number is too long"),
        ("{}".encode("utf-16"), "manifest_not_text", "Save it as UTF-8"),
        (b'{"metadata": {"a": "\xe4"}}', "manifest_not_text", "Save it as UTF-8"),
        (b"[]", "manifest_not_an_object", "must be a JSON object"),
        (b'"lid_only"', "manifest_not_an_object", "must be a JSON object"),
        (b"null", "manifest_not_an_object", "must be a JSON object"),
        (options(langauge="en"), "manifest_unknown_option", "an option `langauge`, which is unknown"),
        (options(worklow="lid_only"), "manifest_unknown_option", "Did you mean `workflow`?"),
        (options(file_name="b"), "manifest_unknown_option", "The options are: glossary, metadata"),
        (options(**{"a\u0000\ud800": 1}), "manifest_unknown_option", "`a??`"),
        (options(workflow="karaoke"), "manifest_invalid_option", "`workflow` is wrong"),
        (options(workflow=None), "manifest_invalid_option", "`workflow` is wrong"),
        (options(workflow="translate_only"), "manifest_invalid_option", "POST /jobs instead"),
        (options(workflow="transcribe_only"), "manifest_invalid_option", "`source_language` is wrong"),
        (options(source_language="klingonisch"), "manifest_invalid_option", "is not a language code"),
        (options(target_language="x"), "manifest_invalid_option", "`target_language` is wrong"),
        (options(target_language=None), "manifest_invalid_option", "`target_language` is wrong"),
        (options(priority="now"), "manifest_invalid_option", "'interactive', 'normal' or 'bulk'"),
        (options(metadata="x"), "manifest_invalid_option", "`metadata` is wrong"),
        (options(metadata={"a": 1}), "manifest_invalid_option", "`metadata.a` is wrong"),
        (options(metadata={"a": "b\u0000"}), "manifest_invalid_option", "Control characters"),
        (options(metadata={"a": "\ud800"}), "manifest_invalid_option", "Control characters"),
        (options(metadata={str(n): "" for n in range(51)}), "manifest_invalid_option", "At most 50 pairs"),
        (options(glossary={"": "x"}), "manifest_invalid_option", "`glossary` is wrong"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_manifest_is_rejected_with_its_code_and_a_sentence(data: bytes, code: str, words: str) -> None:
    found = rejection(data)
    assert found.code == code
    assert words in found.message
    assert "drop it again" in found.message or "POST /jobs" in found.message


@pytest.mark.parametrize(
    ("file_name", "size_bytes", "code", "words"),
    [
        ("a.mp3", 0, RejectionCode.FILE_EMPTY, "empty"),
        ("a.mp3", 1001, RejectionCode.FILE_TOO_LARGE, "at most 1000"),
        ("a" * 300, 10, RejectionCode.FILE_NAME_NOT_ALLOWED, "has 300 characters; at most 255"),
        ("a\x07b", 10, RejectionCode.FILE_NAME_NOT_ALLOWED, "control characters"),
    ],
)
def test_bad_file_is_rejected_whatever_its_manifest(
    file_name: str, size_bytes: int, code: RejectionCode, words: str
) -> None:
    found = rejection(b"{}", file_name=file_name, size_bytes=size_bytes)
    assert found.code is code
    assert words in found.message


def test_manifest_that_is_too_large_is_not_read() -> None:
    manifests.check_size(manifests.LARGEST_BYTES)
    with pytest.raises(errors.RejectedFileError, match="at most 65536"):
        manifests.check_size(manifests.LARGEST_BYTES + 1)


def test_manifest_says_what_is_wanted() -> None:
    found = job(
        b"\xef\xbb\xbf"
        + options(
            workflow="transcribe_only",
            source_language="EN-us",
            target_language="de",
            priority="bulk",
            metadata={"case": "4711"},
            glossary={"Hub": "Drehkreuz"},
        )
    )
    assert (found.workflow, found.priority) == (jobs.Workflow.TRANSCRIBE_ONLY, jobs.Priority.BULK)
    assert (found.source_language, found.target_language) == ("en-US", "de")
    assert found.metadata == {"case": "4711", "drop_folder_path": "folder/a.mp3"}
    assert found.glossary == {"Hub": "Drehkreuz"}


@pytest.mark.parametrize("name", ["会议记录.wav", "a b+c%20#?.mp3", "..", "a..b", "é" * 255])
def test_names_of_every_kind_are_kept_as_they_are(name: str) -> None:
    assert job(b"{}", file_name=name).file_name == name


@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ).map(lambda value: json.dumps(value).encode()),
        st.dictionaries(
            st.sampled_from(sorted(drop_folder.Manifest.model_fields)),
            st.none() | st.text() | st.integers() | st.dictionaries(st.text(), st.text()),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_any_bytes_are_a_job_or_a_rejection_that_can_be_kept(data: bytes) -> None:
    try:
        job(data)
    except errors.RejectedFileError as error:
        text = error.rejection.model_dump_json()
        assert "\\u0000" not in text
        text.encode("utf-8")
