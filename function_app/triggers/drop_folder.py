"""A file, or a manifest, has arrived in the drop folder; and what has arrived without a word."""

# The SDK publishes its decorators without types.
# mypy: disable-error-code="untyped-decorator"

import asyncio

import azure.functions as func
from azure.durable_functions import Blueprint, DurableOrchestrationClient

from function_app import services
from function_app.drop_folder import files, settling

blueprint = Blueprint()


@blueprint.blob_trigger(
    arg_name="blob",
    path="drop-folder/{path}",
    connection="AzureWebJobsStorage",
    # The only source that Flex Consumption has.
    source=func.BlobSource.EVENT_GRID,
)
@blueprint.durable_client_input(client_name="client")
async def file_dropped(blob: func.InputStream, client: DurableOrchestrationClient) -> None:
    """Looks at the name alone, never at the content, which may be gigabytes."""
    await settling.arrived(await services.ready(), client, str(blob.name))


@blueprint.timer_trigger(arg_name="timer", schedule="0 37 * * * *", run_on_startup=False)
async def look_into_drop_folder(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the host names it
    """Every hour; the sweep takes what it finds."""
    await asyncio.to_thread(files.note_missed, await services.ready())
