"""What jobs come to when nothing is disturbed: one of each kind, on the same stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from azure.storage.blob import BlobServiceClient

import client
from contracts import jobs
from tests.faults import evidence, workload

LIMIT_SECONDS: Final = 240.0


def run(
    speech: client.SpeechFlow, storage: BlobServiceClient, kinds: Sequence[workload.Kind]
) -> Mapping[str, evidence.Evidence]:
    """The evidence of a completed job by kind. Raises AssertionError when one does not complete."""
    submitted = workload.Sender(url=speech.url).send_all(kinds)
    found = {}
    for each in submitted:
        ended = speech.wait(each.job_id, timeout_seconds=LIMIT_SECONDS)
        assert ended.status is jobs.JobStatus.COMPLETED, f"{each.kind.name} ended {ended.status} undisturbed"
        found[each.kind.name] = evidence.collect(speech, storage, each)
    return found
