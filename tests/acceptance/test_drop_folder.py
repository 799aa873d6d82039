"""A recording that is dropped is transcribed where it lies, and its transcript is summarised once more."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from azure.storage.blob import BlobServiceClient

from contracts import jobs
from local_stack.demo import recordings
from local_stack.launcher import stack
from tests.acceptance import waiting
from tests.acceptance.command import Command

PATH = "team a/会议 1.flac"


@pytest.fixture
def receipt(local_stack: stack.Stack) -> dict[str, Any]:
    """What the dropper has in the end."""
    connection = local_stack.credentials["AzureWebJobsStorage"]
    with BlobServiceClient.from_connection_string(connection) as storage:
        english = recordings.sample("english.flac").path.read_bytes()
        manifest = json.dumps({"workflow": "transcribe_only", "source_language": "en"}).encode()
        storage.get_blob_client("drop-folder", PATH).upload_blob(english)
        storage.get_blob_client("drop-folder", f"{PATH}.job.json").upload_blob(manifest)
        answers = storage.get_container_client("results")
        found: dict[str, Any] = {}

        def ended() -> bool:
            for name in answers.list_blob_names(name_starts_with=f"default/drop-folder/{PATH}/receipt-"):
                if name.endswith(".json"):
                    found.update(json.loads(answers.download_blob(name).readall()))
            return found.get("status") in jobs.TERMINAL

        waiting.until(ended, "the receipt", limit_seconds=90)
        return found


def test_dropped_recording_is_transcribed_and_its_transcript_used_again(
    receipt: dict[str, Any], speechflow: Command, local_stack: stack.Stack
) -> None:
    assert receipt["status"] == "completed"
    assert {"transcript.txt", "transcript.srt"} <= set(receipt["files"])
    assert httpx.get(receipt["files"]["transcript.txt"]).status_code in (403, 404, 409), "it has no signature"
    shown = speechflow("show", receipt["job_id"], "--json").object
    assert (shown["file_name"], shown["metadata"]["drop_folder_path"]) == ("会议 1.flac", PATH)
    done = speechflow(
        "submit", "--workflow", "summarize_only", "--source-job", receipt["job_id"], "--wait", "--json"
    )
    assert done.status == 0, done.messages
    transcript = speechflow("results", receipt["job_id"], "--json").object["transcript"]
    assert done.object["transcript"] == transcript
    assert done.object["summary"]["text"]
