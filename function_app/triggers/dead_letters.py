"""Messages that nobody will work on any more: one function for each queue's dead letters."""

# The SDK publishes its decorators without types.
# mypy: disable-error-code="untyped-decorator"

import azure.functions as func
from azure.durable_functions import Blueprint, DurableOrchestrationClient

from contracts import queues
from function_app import dead_letters, services

blueprint = Blueprint()

CONNECTION = "SERVICE_BUS_CONNECTION_STRING"


@blueprint.service_bus_queue_trigger(
    arg_name="message", queue_name=queues.dead_letter_queue(queues.Queue.LID_JOBS), connection=CONNECTION
)
@blueprint.durable_client_input(client_name="client")
async def dead_lid_jobs(message: func.ServiceBusMessage, client: DurableOrchestrationClient) -> None:
    await _give_up_request(message, client)


@blueprint.service_bus_queue_trigger(
    arg_name="message", queue_name=queues.dead_letter_queue(queues.Queue.WHISPER_JOBS), connection=CONNECTION
)
@blueprint.durable_client_input(client_name="client")
async def dead_whisper_jobs(message: func.ServiceBusMessage, client: DurableOrchestrationClient) -> None:
    await _give_up_request(message, client)


@blueprint.service_bus_queue_trigger(
    arg_name="message", queue_name=queues.dead_letter_queue(queues.Queue.JOB_EVENTS), connection=CONNECTION
)
@blueprint.durable_client_input(client_name="client")
async def dead_job_events(message: func.ServiceBusMessage, client: DurableOrchestrationClient) -> None:
    await dead_letters.give_up_event(client, message.get_body(), reason=dead_letters.reason_of(message))


async def _give_up_request(message: func.ServiceBusMessage, client: DurableOrchestrationClient) -> None:
    await dead_letters.give_up_request(
        await services.ready(), client, message.get_body(), reason=dead_letters.reason_of(message)
    )
