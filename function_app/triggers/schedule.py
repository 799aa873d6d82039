"""What happens by the clock."""

# The SDK publishes its decorators without types.
# mypy: disable-error-code="untyped-decorator"

import azure.functions as func
from azure.durable_functions import Blueprint, DurableOrchestrationClient

from function_app import orphans, retention, services, sweeps

blueprint = Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="0 * * * * *", run_on_startup=False)
@blueprint.durable_client_input(client_name="client")
async def sweep(timer: func.TimerRequest, client: DurableOrchestrationClient) -> None:  # noqa: ARG001 - the host names it
    """Every minute."""
    await sweeps.sweep(await services.ready(), client)


@blueprint.timer_trigger(arg_name="timer", schedule="0 17 * * * *", run_on_startup=False)
async def remove_old_work(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the host names it
    """Every hour."""
    await sweeps.remove_old_work(await services.ready())


@blueprint.timer_trigger(arg_name="timer", schedule="0 47 * * * *", run_on_startup=False)
@blueprint.durable_client_input(client_name="client")
async def end_orphans(timer: func.TimerRequest, client: DurableOrchestrationClient) -> None:  # noqa: ARG001 - the host names it
    """Every hour."""
    parts = await services.ready()
    await orphans.end_instances(parts, client)
    await orphans.remove_work(parts)


@blueprint.timer_trigger(arg_name="timer", schedule="0 32 * * * *", run_on_startup=False)
@blueprint.durable_client_input(client_name="client")
async def purge_instances(timer: func.TimerRequest, client: DurableOrchestrationClient) -> None:  # noqa: ARG001 - the host names it
    """Every hour."""
    await retention.purge_instances(await services.ready(), client)
