"""A worker whose engine hangs answers for it, gives itself up, and works again when it is started again."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import errors, events
from tests.integration import azurite_process, broker_process
from tests.integration.faults_table import asking, hanging_worker
from tests.integration.worker_kit import worker_process
from worker_kit import run

pytestmark = pytest.mark.acceptance_long


def test_worker_whose_engine_hangs_ends_and_is_of_use_again(
    storage: azurite_process.AzuriteProcess, broker: broker_process.BrokerProcess, tmp_path: Path
) -> None:
    with (
        asking.Asking(storage.connection_string, broker.connection_string) as app,
        worker_process.running_worker(
            hanging_worker.__name__,
            storage=storage,
            broker=broker,
            log_path=tmp_path / "worker.log",
            environment={
                **asking.QUICK,
                "WORKSPACE_DIR": str(tmp_path / "space"),
                "HANG_SECONDS": "0.5",
                "DRAIN_SECONDS": "1",
            },
        ) as worker,
    ):
        app.send(app.request(hanging_worker.HANGING))
        outcome = app.event().outcome
        assert isinstance(outcome, events.Failed)
        assert (outcome.code, outcome.retryable) == (errors.ErrorCode.TIMED_OUT, True)
        worker_process.wait_until(lambda: not worker.is_running(), within_seconds=60, what="the end")
        assert worker.exit_status() == run.EXIT_HANGING
        assert worker.logged("work_hangs")
        worker.start()
        app.send(app.request("next"))
        assert isinstance(app.event().outcome, events.Completed)
