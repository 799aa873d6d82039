"""Memory and speed of lid_worker's prepare step for recordings of 3 and of 10 hours.

The recording is speech of the samples as MP3, its frames repeated until it is long enough, uploaded to a real
Azurite. A process of its own loads the step, notes its resident memory when idle, resets the kernel's high
mark, prepares the recording (fetch, decode, voice detection, cutting, FLAC chunks uploaded) and reads the
high mark: `extra_memory_mib` is the difference. `times_real_time` is audio by wall seconds, the median of
both recordings. Linux only: it reads /proc.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import av
from azure.storage.blob import BlobServiceClient
from pydantic import SecretStr

from benchmarks import processes, report
from contracts import blobs, identity, messages, params, result_keys, steps
from lid_worker.prepare.handler import PrepareHandler
from local_stack import azurite
from worker_kit import azure_blobs
from worker_kit.context import StepContext
from worker_kit.settings import StorageSettings

HOURS: Final = (3, 10)
_SAMPLE: Final = report.ROOT / "tests" / "fixtures" / "samples" / "english-conversation.flac"
_TENANT: Final = "bench"
_PATIENCE_SECONDS: Final = 3600


def run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        storage = azurite.start(Path(folder) / "azurite")
        try:
            measured = {hours: _measure(storage.connection_string, Path(folder), hours) for hours in HOURS}
        finally:
            storage.kill()
    report.show(
        "Prepare: one recording, one process",
        (
            "hours",
            "idle MiB",
            "highest MiB",
            "extra MiB",
            "wall s",
            "times real time",
            "processor s",
            "chunks",
        ),
        [
            (
                hours,
                each["idle_mib"],
                each["highest_mib"],
                each["highest_mib"] - each["idle_mib"],
                each["wall_seconds"],
                each["audio_seconds"] / each["wall_seconds"],
                each["cpu_seconds"],
                each["chunks"],
            )
            for hours, each in measured.items()
        ],
    )
    extra = {
        f"extra_memory_mib_{hours}h": round(each["highest_mib"] - each["idle_mib"], 1)
        for hours, each in measured.items()
    }
    speeds = [each["audio_seconds"] / each["wall_seconds"] for each in measured.values()]
    return {**extra, "times_real_time": round(statistics.median(speeds), 1)}


def _measure(connection_string: str, folder: Path, hours: int) -> Any:
    job = f"job-{hours}h"
    _upload(connection_string, job, hours)
    command = [sys.executable, "-m", "benchmarks.prepare", job, str(folder)]
    done = subprocess.run(
        command,
        cwd=report.ROOT,
        env={**os.environ, "AZURE_STORAGE_CONNECTION_STRING": connection_string},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=_PATIENCE_SECONDS,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _upload(connection_string: str, job: str, hours: int) -> None:
    frames, seconds = _encoded_sample()
    repeats = int(hours * 3600 / seconds) + 1
    with BlobServiceClient.from_connection_string(connection_string) as service:
        for container in (blobs.Container.AUDIO_FILES, blobs.Container.WORK, blobs.Container.RESULTS):
            if not service.get_container_client(container).exists():
                service.create_container(container)
        path = blobs.source_path(tenant_id=_TENANT, job_id=job)
        service.get_blob_client(blobs.Container.AUDIO_FILES, path).upload_blob(frames * repeats)


def _encoded_sample() -> tuple[bytes, float]:
    """The sample as bare MP3 frames, which follow one another as often as one likes, and its length."""
    encoded = io.BytesIO()
    seconds = 0.0
    # No Xing header: it would give the length of the first repetition as that of the whole.
    with av.open(str(_SAMPLE)) as source, av.open(encoded, "w", "mp3", {"write_xing": "0"}) as target:
        stream = target.add_stream("libmp3lame", rate=16_000, layout="mono", bit_rate=32_000)
        for frame in source.decode(audio=0):
            seconds += frame.samples / frame.sample_rate
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return encoded.getvalue(), seconds


# The process that is measured.


def prepare(job: str, folder: Path) -> dict[str, Any]:
    """Prepare one recording and say what that took."""
    connection_string = SecretStr(os.environ["AZURE_STORAGE_CONNECTION_STRING"])
    store = azure_blobs.open_store(StorageSettings(azure_storage_connection_string=connection_string))
    handler = PrepareHandler()
    handler.load()
    handler.warm_up()
    path = blobs.source_path(tenant_id=_TENANT, job_id=job)
    source = store.find(blobs.Container.AUDIO_FILES, path)
    if source is None:
        raise FileNotFoundError(path)
    request = _request(job, source.model_copy(update={"content_hash": None}))
    workspace = folder / job
    workspace.mkdir()
    context = StepContext(request=request, blob_store=store, workspace=workspace, cancel_check_seconds=1.0)
    idle_mib = processes.resident_mib(os.getpid())
    Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets VmHWM
    began, cpu = time.perf_counter(), time.process_time()
    plan: Any = handler.handle(request, context).result
    return {
        "idle_mib": idle_mib,
        "highest_mib": _highest_mib(),
        "wall_seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "audio_seconds": plan.audio_seconds,
        "chunks": len(plan.chunks),
    }


def _highest_mib() -> float:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def _request(job: str, source: blobs.BlobReference) -> messages.StepRequest:
    wanted = params.PrepareParams()
    key = result_keys.result_key(inputs=[source.etag or ""], params=wanted)
    step = steps.Step.PREPARE
    return messages.StepRequest(
        tenant_id=_TENANT,
        job_id=job,
        run=1,
        step=step,
        attempt=1,
        result=messages.ResultTarget(
            key=key, path=blobs.step_result_path(tenant_id=_TENANT, job_id=job, step=step, key=key)
        ),
        inputs={messages.InputName.SOURCE: source},
        params=wanted,
        reply_to=messages.ReplyTo(
            instance_id=identity.instance_id(job_id=job, run=1),
            event_name=identity.event_name(step=step, chunk=None, attempt=1),
        ),
        expires_at=datetime.now(UTC) + timedelta(hours=6),
    )


if __name__ == "__main__":
    print(json.dumps(prepare(sys.argv[1], Path(sys.argv[2]))))
