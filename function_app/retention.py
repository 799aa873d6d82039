"""How long Durable remembers: nobody but us removes what finished instances leave in the task hub."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import structlog
from azure.durable_functions import OrchestrationRuntimeStatus

from function_app import errors, services

log = structlog.get_logger(__name__)

_FINISHED: Final = [
    OrchestrationRuntimeStatus.Completed,
    OrchestrationRuntimeStatus.Failed,
    OrchestrationRuntimeStatus.Terminated,
]
_BEFORE_ALL: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""Durable demands a beginning."""


class PurgeClient(Protocol):
    """What purging needs of DurableOrchestrationClient."""

    async def purge_instance_history_by(
        self,
        created_time_from: datetime | None = None,
        created_time_to: datetime | None = None,
        runtime_status: list[OrchestrationRuntimeStatus] | None = None,
    ) -> Any:
        """Deletes the instances that match and says how many."""


async def purge_instances(parts: services.Services, client: PurgeClient) -> None:
    """Removes finished instances that began longer ago than `instance_retention_days`; harmless to repeat.

    Jobs and results stay as they are: the job store, not Durable, knows them. Raises DurableUnavailableError.
    """
    try:
        purged = await client.purge_instance_history_by(_BEFORE_ALL, _long_ago(parts), _FINISHED)
    except Exception as error:
        # The client raises bare exceptions.
        raise errors.DurableUnavailableError from error
    log.info("finished_instances_purged", instances=purged.instances_deleted)


def _long_ago(parts: services.Services) -> datetime:
    return datetime.now(UTC) - timedelta(days=parts.settings.instance_retention_days)
