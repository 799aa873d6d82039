"""A worker has finished an attempt."""

# The SDK publishes its decorators without types.
# mypy: disable-error-code="untyped-decorator"

import azure.functions as func
from azure.durable_functions import Blueprint, DurableOrchestrationClient

from contracts import queues
from function_app import services, step_events

blueprint = Blueprint()


@blueprint.service_bus_queue_trigger(
    arg_name="message", queue_name=queues.Queue.JOB_EVENTS.value, connection="SERVICE_BUS_CONNECTION_STRING"
)
@blueprint.durable_client_input(client_name="client")
async def job_events(message: func.ServiceBusMessage, client: DurableOrchestrationClient) -> None:
    """What raises leaves the message in the queue: it comes again, and in the end as a dead letter."""
    body = message.get_body()
    if not await step_events.deliver_or_wait(client, body, message.delivery_count or 1):
        await step_events.remove_late_work(await services.ready(), step_events.parse(body))
